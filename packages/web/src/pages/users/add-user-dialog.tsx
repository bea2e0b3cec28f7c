import { useState, type FormEvent } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { createUser } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { Dialog, DialogActions } from '../../components/dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { TextField } from '../../components/text-field.tsx';

export const AddUserDialog = ({
  isOpen,
  onClose,
}: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
}) => {
  const queries = useQueryClient();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const add = useMutation({
    mutationFn: () => call(createUser, { body: { email, password } }),
    onSuccess: async () => {
      setEmail('');
      setPassword('');
      onClose();
      await queries.invalidateQueries({ queryKey: ['users'] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <Dialog title="Add a user" isOpen={isOpen} onClose={onClose}>
      <form onSubmit={submit}>
        <TextField
          label="E-mail"
          type="email"
          isRequired
          value={email}
          onChange={setEmail}
          autoComplete="off"
        />
        <TextField
          label="Password"
          hint="At least eight characters; they can change it in their settings."
          type="password"
          autoComplete="new-password"
          minLength={8}
          isRequired
          value={password}
          onChange={setPassword}
        />
        {add.error !== null && <ErrorNotice attempt="Adding the user" error={add.error} />}
        <DialogActions>
          <Button onPress={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" isDisabled={add.isPending}>
            Add the user
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
};
