import { useState, type FormEvent } from 'react';
import { useMutation } from '@tanstack/react-query';
import { login, redeemFirstAdministrator } from '@tandem/api';
import { call } from '../api/call.ts';
import { Button } from '../components/button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { TextField } from '../components/text-field.tsx';
import { basicAuthorization } from './basic-authorization.ts';
import { EntrancePage } from './entrance-page.tsx';
import { startSession } from './session.ts';

/** While there is no user: the one who can read the server's console becomes the administrator. */
export const FirstRunPage = () => {
  const [token, setToken] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const create = useMutation({
    mutationFn: async () => {
      await call(redeemFirstAdministrator, { body: { token: token.trim(), email, password } });
      const { body } = await call(login, { headers: { authorization: basicAuthorization(email, password) } });
      startSession({ token: body, email });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <EntrancePage title="Set up Tandem">
      <p>This server has no users yet. Make the administrator; others are added later.</p>
      <form onSubmit={submit}>
        <TextField
          label="One-time token"
          hint="Printed on the server's console when it started; it counts for 30 minutes."
          name="token"
          autoComplete="off"
          isRequired
          value={token}
          onChange={setToken}
        />
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
          hint="At least eight characters."
          type="password"
          name="password"
          autoComplete="new-password"
          minLength={8}
          isRequired
          value={password}
          onChange={setPassword}
        />
        {create.error !== null && <ErrorNotice attempt="Making the administrator" error={create.error} />}
        <Button kind="primary" type="submit" isDisabled={create.isPending}>
          {create.isPending ? 'Making the administrator …' : 'Make the administrator'}
        </Button>
      </form>
    </EntrancePage>
  );
};
