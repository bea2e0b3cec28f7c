import { useState, type FormEvent } from 'react';
import { useMutation } from '@tanstack/react-query';
import { login } from '@tandem/api';
import { call } from '../api/call.ts';
import { Button } from '../components/button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextField } from '../components/text-field.tsx';
import { basicAuthorization } from './basic-authorization.ts';
import { EntrancePage } from './entrance-page.tsx';
import { startSession } from './session.ts';

/** Stands where the page would, at its address: after signing in one is where one wanted to be. */
export const SignInPage = () => {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: async () => {
      const { body } = await call(login, { headers: { authorization: basicAuthorization(email, password) } });
      startSession({ token: body, email });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <EntrancePage title="Sign in">
      <form onSubmit={submit}>
        <TextField
          label="E-mail"
          type="email"
          name="email"
          autoComplete="username"
          isRequired
          value={email}
          onChange={setEmail}
        />
        <TextField
          label="Password"
          type="password"
          name="password"
          autoComplete="current-password"
          isRequired
          value={password}
          onChange={setPassword}
        />
        {signIn.error !== null && <ErrorNotice attempt="Signing in" error={signIn.error} />}
        <Button kind="primary" type="submit" isDisabled={signIn.isPending}>
          {signIn.isPending ? 'Signing in …' : 'Sign in'}
        </Button>
      </form>
    </EntrancePage>
  );
};
