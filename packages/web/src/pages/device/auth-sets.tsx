import { useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { deleteAuthSet, setAuthSetStatus, type AuthSet, type Device } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Facts } from '../../components/facts.tsx';
import { Section } from '../../components/page.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { Time } from '../../components/time.tsx';
import styles from './auth-sets.module.css';

/** What one may do with an auth set, by its status. */
const decisions = {
  pending: ['accept', 'reject', 'dismiss'],
  accepted: ['reject', 'dismiss'],
  rejected: ['accept', 'dismiss'],
  preauthorized: ['reject', 'dismiss'],
} as const satisfies Record<string, readonly Decision[]>;

type Decision = 'accept' | 'reject' | 'dismiss';
const words = { accept: 'Accept', reject: 'Reject', dismiss: 'Dismiss' } as const satisfies Record<
  Decision,
  string
>;

/** The keys a device has come with; the one that is accepted lets it in. */
export const AuthSets = ({ device }: { readonly device: Device }) => (
  <Section title="Identity and auth sets">
    <Facts
      facts={Object.entries(device.identity_data).map(([name, value]) => ({ name, value: String(value) }))}
    />
    <ul className={styles.sets}>
      {(device.auth_sets ?? []).map((authSet) => (
        <AuthSetRow key={authSet.id} deviceId={device.id} authSet={authSet} />
      ))}
    </ul>
  </Section>
);

const AuthSetRow = ({ deviceId, authSet }: { readonly deviceId: string; readonly authSet: AuthSet }) => {
  const queries = useQueryClient();
  const [isDismissing, setDismissing] = useState(false);
  const params = { id: deviceId, aid: authSet.id };
  const decide = useMutation({
    mutationFn: async (decision: Decision) => {
      if (decision === 'dismiss') await call(deleteAuthSet, { params });
      else {
        const status = decision === 'accept' ? 'accepted' : 'rejected';
        await call(setAuthSetStatus, { params, body: { status } });
      }
    },
    onSuccess: async () => {
      setDismissing(false);
      await queries.invalidateQueries({ queryKey: ['devices'] });
    },
  });
  const allowed: readonly Decision[] = Object.hasOwn(decisions, authSet.status)
    ? decisions[authSet.status as keyof typeof decisions]
    : [];
  return (
    <li className={styles.set}>
      <div className={styles.line}>
        <StatusBadge status={authSet.status} />
        <span>
          came <Time at={authSet.ts} />
        </span>
        <span className={styles.actions}>
          {allowed.map((decision) => (
            <Button
              key={decision}
              small
              kind={decision === 'accept' ? 'primary' : 'secondary'}
              isDisabled={decide.isPending}
              onPress={() => (decision === 'dismiss' ? setDismissing(true) : decide.mutate(decision))}
            >
              {words[decision]}
            </Button>
          ))}
        </span>
      </div>
      <details>
        <summary>Public key</summary>
        <pre className={styles.key}>{authSet.pubkey}</pre>
      </details>
      {decide.error !== null && !isDismissing && (
        <ErrorNotice attempt="Deciding on the auth set" error={decide.error} />
      )}
      <ConfirmDialog
        title="Dismiss this auth set?"
        isOpen={isDismissing}
        onClose={() => setDismissing(false)}
        action="Dismiss the auth set"
        onConfirm={() => decide.mutate('dismiss')}
        isPending={decide.isPending}
        error={decide.error}
      >
        The server forgets this key. A device that still has it is shut out until it asks again and is
        accepted anew.
      </ConfirmDialog>
    </li>
  );
};
