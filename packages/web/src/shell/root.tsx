import { useQuery } from '@tanstack/react-query';
import { getFirstAdministrator } from '@tandem/api';
import { call } from '../api/call.ts';
import { FirstRunPage } from '../session/first-run-page.tsx';
import { useSession } from '../session/session.ts';
import { SignInPage } from '../session/sign-in-page.tsx';
import { Shell } from './shell.tsx';

/** The page one asked for, or what comes before it in its place: the address stays. */
export const Root = () => {
  const session = useSession();
  const first = useQuery({
    queryKey: ['first-administrator'],
    queryFn: async ({ signal }) => (await call(getFirstAdministrator, { signal })).body.awaited,
    enabled: session === undefined,
  });
  if (session !== undefined) return <Shell />;
  return first.data === true ? <FirstRunPage /> : <SignInPage />;
};
