import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { deleteUser, listUsers, type User } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { DataTable, type TableColumn } from '../../components/data-table.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Page, Section } from '../../components/page.tsx';
import { Time } from '../../components/time.tsx';
import { useEmail } from '../../session/session.ts';
import { AddUserDialog } from './add-user-dialog.tsx';
import { TokensSection } from './tokens-section.tsx';

/** Who may sign in, and one's own tokens for programs. */
export const UsersPage = () => {
  const queries = useQueryClient();
  const own = useEmail();
  const [isAdding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<User>();
  const users = useQuery({
    queryKey: ['users', 'list'],
    queryFn: async ({ signal }) => (await call(listUsers, { signal })).body,
  });
  const remove = useMutation({
    mutationFn: (id: string) => call(deleteUser, { params: { id } }),
    onSuccess: async () => {
      setLeaving(undefined);
      await queries.invalidateQueries({ queryKey: ['users'] });
    },
  });
  const columns: readonly TableColumn<User>[] = [
    {
      id: 'email',
      label: 'E-mail',
      cell: ({ email }) => (email === own ? `${email} (you)` : email),
    },
    { id: 'created', label: 'Created', width: 170, cell: ({ created_ts }) => <Time at={created_ts} /> },
    { id: 'login', label: 'Last sign-in', width: 170, cell: ({ login_ts }) => <Time at={login_ts} /> },
    {
      id: 'remove',
      label: 'Remove',
      width: 120,
      cell: (user) =>
        user.email === own ? null : (
          <Button kind="plain" aria-label={`Remove ${user.email}`} onPress={() => setLeaving(user)}>
            Remove
          </Button>
        ),
    },
  ];
  return (
    <Page
      title="Users"
      actions={
        <Button kind="primary" onPress={() => setAdding(true)}>
          Add a user
        </Button>
      }
    >
      {users.error !== null && <ErrorNotice attempt="Listing the users" error={users.error} />}
      <Section title="Who may sign in">
        <DataTable
          label="Users"
          columns={columns}
          rows={users.data ?? []}
          keyOf={({ id }) => id}
          nameOf={({ email }) => email}
          empty={<EmptyState title="Asking the server …" />}
        />
      </Section>
      <TokensSection />
      <AddUserDialog isOpen={isAdding} onClose={() => setAdding(false)} />
      <ConfirmDialog
        title={`Remove ${leaving?.email ?? ''}?`}
        isOpen={leaving !== undefined}
        onClose={() => setLeaving(undefined)}
        action="Remove the user"
        onConfirm={() => {
          if (leaving !== undefined) remove.mutate(leaving.id);
        }}
        isPending={remove.isPending}
        error={remove.error}
      >
        They can no longer sign in, and all their tokens end at once.
      </ConfirmDialog>
    </Page>
  );
};
