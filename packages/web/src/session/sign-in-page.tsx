import { EntrancePage } from './entrance-page.tsx';
import { SignInForm } from './sign-in-form.tsx';

/** Stands where the page would, at its address: after signing in one is where one wanted to be. */
export const SignInPage = () => (
  <EntrancePage title="Sign in">
    <SignInForm />
  </EntrancePage>
);
