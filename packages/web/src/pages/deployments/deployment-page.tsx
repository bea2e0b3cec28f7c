import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { abortDeployment, getDeployment } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Page, Section } from '../../components/page.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { Time } from '../../components/time.tsx';
import { DeploymentDevices } from './deployment-devices.tsx';
import { FailuresSection } from './failures-section.tsx';
import { RetryFailed } from './retry-failed.tsx';
import { StatusBar } from './status-bar.tsx';

/** One deployment: how far it has come, device by device. */
export const DeploymentPage = () => {
  const { id } = useParams({ from: '/deployments/$id' });
  const queries = useQueryClient();
  const [isAborting, setAborting] = useState(false);
  const deployment = useQuery({
    queryKey: ['deployments', 'one', id],
    queryFn: async ({ signal }) => (await call(getDeployment, { params: { id }, signal })).body,
  });
  const abort = useMutation({
    mutationFn: () => call(abortDeployment, { params: { id }, body: { status: 'aborted' } }),
    onSuccess: async () => {
      setAborting(false);
      await queries.invalidateQueries({ queryKey: ['deployments'] });
    },
  });
  if (deployment.data === undefined) {
    return (
      <Page title="Deployment">
        {deployment.error === null ? (
          <p>Asking the server …</p>
        ) : (
          <ErrorNotice attempt="Reading the deployment" error={deployment.error} />
        )}
      </Page>
    );
  }
  const { name, artifact_name, status, created, statistics, max_devices, force_installation } =
    deployment.data;
  return (
    <Page
      title={name}
      lead={
        <>
          <StatusBadge status={status} /> Release{' '}
          <Link to="/releases/$name" params={{ name: artifact_name }}>
            {artifact_name}
          </Link>{' '}
          · created <Time at={created} />
          {force_installation === true && ' · also where it is installed already'}
        </>
      }
      actions={
        <>
          <RetryFailed deployment={deployment.data} />
          {status !== 'finished' && <Button onPress={() => setAborting(true)}>Abort</Button>}
        </>
      }
    >
      <Section title={`${max_devices.toLocaleString()} ${max_devices === 1 ? 'device' : 'devices'}`}>
        <StatusBar counts={statistics.status} total={max_devices} />
      </Section>
      {statistics.status.failure > 0 && <FailuresSection deploymentId={id} />}
      <DeploymentDevices deploymentId={id} counts={statistics.status} />
      <ConfirmDialog
        title={`Abort ${name}?`}
        isOpen={isAborting}
        onClose={() => setAborting(false)}
        action="Abort the deployment"
        onConfirm={() => abort.mutate()}
        isPending={abort.isPending}
        error={abort.error}
      >
        Devices that have not begun will not. Those that are in the middle of it learn of it by their next
        report and go back to what they ran. It cannot be resumed.
      </ConfirmDialog>
    </Page>
  );
};
