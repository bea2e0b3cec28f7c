import { useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { listDeviceHistory, maxHistoryPerPage, type DeviceDeployment } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Section } from '../../components/page.tsx';
import { Pager } from '../../components/pager.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { LogDialog } from '../deployments/log-dialog.tsx';
import styles from './deployment-history.module.css';
import { Timeline } from './timeline.tsx';

/** What was deployed to the device, the newest first, each with the steps it reported and when. */
export const DeploymentHistory = ({ deviceId }: { readonly deviceId: string }) => {
  const [page, setPage] = useState(1);
  const [logOf, setLogOf] = useState<string>();
  const history = useQuery({
    queryKey: ['deployments', 'history', deviceId, page],
    queryFn: async ({ signal }) =>
      (await call(listDeviceHistory, { params: { device_id: deviceId }, query: { page }, signal })).body,
    placeholderData: keepPreviousData,
  });
  const rows = history.data ?? [];
  return (
    <Section title="Deployments">
      {history.error !== null && <ErrorNotice attempt="Reading the history" error={history.error} />}
      {history.data?.length === 0 && page === 1 && (
        <EmptyState title="Nothing has been deployed to it yet." />
      )}
      <ol className={styles.history}>
        {rows.map(({ id, deployment, device }, index) => (
          <li key={`${id} ${device.created}`} className={styles.entry}>
            <div className={styles.line}>
              <StatusBadge status={device.status} />
              {deployment === undefined ? (
                <span>a deployment that is no longer known</span>
              ) : (
                <Link to="/deployments/$id" params={{ id: deployment.id }}>
                  {deployment.name}
                </Link>
              )}
              <span className={styles.release}>{deployment?.artifact_name}</span>
              {device.log && deployment !== undefined && (
                <Button kind="plain" onPress={() => setLogOf(deployment.id)}>
                  Log
                </Button>
              )}
            </div>
            {deployment !== undefined && (
              <TimelineOf
                deploymentId={deployment.id}
                device={device}
                deviceId={deviceId}
                isOpen={index === 0}
              />
            )}
          </li>
        ))}
      </ol>
      <Pager page={page} perPage={maxHistoryPerPage} total={undefined} shown={rows.length} onPage={setPage} />
      <LogDialog
        deploymentId={logOf ?? ''}
        deviceId={logOf === undefined ? undefined : deviceId}
        onClose={() => setLogOf(undefined)}
      />
    </Section>
  );
};

interface TimelineOfProps {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly device: DeviceDeployment;
  readonly isOpen: boolean;
}

/** Closed but for the newest one: only what is looked at is asked for. */
const TimelineOf = ({ deploymentId, deviceId, device, isOpen }: TimelineOfProps) => {
  const [wasOpened, setOpened] = useState(isOpen);
  return (
    <details open={isOpen} onToggle={({ currentTarget }) => setOpened(wasOpened || currentTarget.open)}>
      <summary>Steps</summary>
      {wasOpened && (
        <Timeline deploymentId={deploymentId} deviceId={deviceId} isRunning={device.finished === undefined} />
      )}
    </details>
  );
};
