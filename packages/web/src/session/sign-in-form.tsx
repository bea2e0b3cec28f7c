import { useState, type FormEvent } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { login } from '@tandem/api';
import { call } from '../api/call.ts';
import { Button } from '../components/button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextField } from '../components/text-field.tsx';
import { basicAuthorization } from './basic-authorization.ts';
import { startSession } from './session.ts';

/** Asks for e-mail and password, or for the password alone where it is known who it is. */
export const SignInForm = ({ email: known }: { readonly email?: string }) => {
  const queries = useQueryClient();
  const [typed, setTyped] = useState('');
  const [password, setPassword] = useState('');
  const email = known ?? typed;
  const signIn = useMutation({
    mutationFn: async () => {
      const { body } = await call(login, { headers: { authorization: basicAuthorization(email, password) } });
      startSession({ token: body, email });
      // What was refused meanwhile is asked for again.
      await queries.invalidateQueries();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <form onSubmit={submit}>
      <TextField
        label="E-mail"
        type="email"
        name="email"
        autoComplete="username"
        isRequired
        isReadOnly={known !== undefined}
        value={email}
        onChange={setTyped}
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
  );
};
