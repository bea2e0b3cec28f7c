import { useSession } from '../session/session.ts';
import { SignInPage } from '../session/sign-in-page.tsx';
import { Shell } from './shell.tsx';

/** The page one asked for, or the sign-in in its place: the address stays. */
export const Root = () => (useSession() === undefined ? <SignInPage /> : <Shell />);
