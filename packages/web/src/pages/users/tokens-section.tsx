import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { createPersonalAccessToken, deletePersonalAccessToken, listPersonalAccessTokens } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { Choice } from '../../components/choice.tsx';
import { CommandBlock } from '../../components/command-block.tsx';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { DataTable } from '../../components/data-table.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Section } from '../../components/page.tsx';
import { TextField } from '../../components/text-field.tsx';
import { Time } from '../../components/time.tsx';
import styles from './tokens-section.module.css';

const daySeconds = 86_400;
const lifetimes = [
  { value: String(30 * daySeconds), label: '30 days' },
  { value: String(90 * daySeconds), label: '90 days' },
  { value: String(365 * daySeconds), label: 'One year' },
  { value: '0', label: 'Never ends' },
] as const;
type Lifetime = (typeof lifetimes)[number]['value'];

/** Tokens for scripts and build machines, of the one who is signed in. */
export const TokensSection = () => {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [lifetime, setLifetime] = useState<Lifetime>(lifetimes[0].value);
  const [revoking, setRevoking] = useState<{ readonly id: string; readonly name: string }>();
  const tokens = useQuery({
    queryKey: ['users', 'tokens'],
    queryFn: async ({ signal }) => (await call(listPersonalAccessTokens, { signal })).body,
  });
  const refresh = () => queries.invalidateQueries({ queryKey: ['users'] });
  const create = useMutation({
    mutationFn: async () =>
      (
        await call(createPersonalAccessToken, {
          body: { name: name.trim(), expires_in: Number(lifetime) },
        })
      ).body,
    onSuccess: async () => {
      setName('');
      await refresh();
    },
  });
  const revoke = useMutation({
    mutationFn: (id: string) => call(deletePersonalAccessToken, { params: { id } }),
    onSuccess: async () => {
      setRevoking(undefined);
      await refresh();
    },
  });
  return (
    <Section title="Your access tokens">
      <div className={styles.form}>
        <TextField label="Name of a new token" value={name} onChange={setName} />
        <Choice label="Good for" value={lifetime} onChange={setLifetime} options={lifetimes} />
        <Button
          kind="primary"
          isDisabled={name.trim() === '' || create.isPending}
          onPress={() => create.mutate()}
        >
          Make the token
        </Button>
      </div>
      {create.error !== null && <ErrorNotice attempt="Making the token" error={create.error} />}
      {create.data !== undefined && (
        <div>
          <p>Copy it now: it is not shown again.</p>
          <CommandBlock text={create.data} label="The new token" />
        </div>
      )}
      {tokens.error !== null && <ErrorNotice attempt="Listing the tokens" error={tokens.error} />}
      <DataTable
        label="Access tokens"
        rows={tokens.data ?? []}
        keyOf={({ id }) => id}
        nameOf={(token) => token.name}
        columns={[
          { id: 'name', label: 'Token', cell: (token) => token.name },
          { id: 'used', label: 'Last used', width: 160, cell: ({ last_used }) => <Time at={last_used} /> },
          {
            id: 'ends',
            label: 'Ends',
            width: 160,
            cell: ({ expiration_date }) => <Time at={expiration_date} />,
          },
          {
            id: 'revoke',
            label: 'Revoke',
            width: 110,
            cell: (token) => (
              <Button kind="plain" aria-label={`Revoke ${token.name}`} onPress={() => setRevoking(token)}>
                Revoke
              </Button>
            ),
          },
        ]}
        empty={<EmptyState title="You have no tokens." />}
      />
      <ConfirmDialog
        title={`Revoke ${revoking?.name ?? ''}?`}
        isOpen={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        action="Revoke the token"
        onConfirm={() => {
          if (revoking !== undefined) revoke.mutate(revoking.id);
        }}
        isPending={revoke.isPending}
        error={revoke.error}
      >
        Programs that use it are refused from now on.
      </ConfirmDialog>
    </Section>
  );
};
