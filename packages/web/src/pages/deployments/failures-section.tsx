import { useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { getDeploymentFailures } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Section } from '../../components/page.tsx';
import styles from './failures-section.module.css';
import { LogDialog } from './log-dialog.tsx';

/** Why devices failed, the most frequent cause first, each with the log of one of its devices. */
export const FailuresSection = ({ deploymentId }: { readonly deploymentId: string }) => {
  const [logOf, setLogOf] = useState<string>();
  const failures = useQuery({
    queryKey: ['deployments', 'failures', deploymentId],
    queryFn: async ({ signal }) =>
      (await call(getDeploymentFailures, { params: { id: deploymentId }, signal })).body,
  });
  return (
    <Section title="Why devices failed">
      {failures.error !== null && <ErrorNotice attempt="Grouping the failures" error={failures.error} />}
      <ul className={styles.causes} aria-label="Causes">
        {failures.data?.map(({ cause, devices, device_id }) => (
          <li key={cause ?? ''} className={styles.cause}>
            <strong className={styles.count}>{devices.toLocaleString()}</strong>
            <span className={styles.text}>{cause ?? 'No log has come, or none that names an error'}</span>
            {cause !== null && (
              <Button kind="plain" aria-label={`Log of one: ${cause}`} onPress={() => setLogOf(device_id)}>
                Log of one
              </Button>
            )}
          </li>
        ))}
      </ul>
      <LogDialog deploymentId={deploymentId} deviceId={logOf} onClose={() => setLogOf(undefined)} />
    </Section>
  );
};
