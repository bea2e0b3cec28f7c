import { Button } from '../components/button.tsx';
import { Dialog, DialogActions } from '../components/dialog.tsx';
import { endSession } from './session.ts';
import { SignInForm } from './sign-in-form.tsx';

/** Comes over the page when the session has ended: what was typed there stays, and goes on after signing in. */
export const SignInAgain = ({ email }: { readonly email: string }) => (
  <Dialog title="Sign in again" role="alertdialog" isOpen onClose={() => undefined}>
    <p>Your session has ended. The page stays as it is until you are back.</p>
    <SignInForm email={email} />
    <DialogActions>
      <Button kind="plain" onPress={endSession}>
        I am somebody else
      </Button>
    </DialogActions>
  </Dialog>
);
