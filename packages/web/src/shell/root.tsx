import { useEffect } from 'react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getFirstAdministrator } from '@tandem/api';
import { call } from '../api/call.ts';
import { FirstRunPage } from '../session/first-run-page.tsx';
import { useSessionState } from '../session/session.ts';
import { SignInAgain } from '../session/sign-in-again.tsx';
import { SignInPage } from '../session/sign-in-page.tsx';
import { Shell } from './shell.tsx';

const firstAdministrator = 'first-administrator';

/** The page one asked for, or what comes before it in its place: the address stays. */
export const Root = () => {
  const state = useSessionState();
  const queries = useQueryClient();
  const isSignedOut = state.kind === 'none';
  const first = useQuery({
    queryKey: [firstAdministrator],
    queryFn: async ({ signal }) => (await call(getFirstAdministrator, { signal })).body.awaited,
    enabled: isSignedOut,
  });
  useEffect(() => {
    // Whoever signs in next sees nothing of what this person was shown.
    if (isSignedOut)
      queries.removeQueries({ predicate: ({ queryKey: [topic] }) => topic !== firstAdministrator });
  }, [isSignedOut, queries]);
  switch (state.kind) {
    case 'none':
      return first.data === true ? <FirstRunPage /> : <SignInPage />;
    case 'open':
    case 'interrupted':
      return (
        <>
          <Shell
            email={state.kind === 'open' ? state.session.email : state.email}
            isFed={state.kind === 'open'}
          />
          {state.kind === 'interrupted' && <SignInAgain email={state.email} />}
        </>
      );
  }
};
