import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { listDeploymentDevices, maxPerPage, type Deployment } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';

/** Begins a new deployment of the same release with the devices that failed; the form shows the plan before it goes. */
export const RetryFailed = ({ deployment }: { readonly deployment: Deployment }) => {
  const navigate = useNavigate();
  const retry = useMutation({
    mutationFn: async () => {
      const { body } = await call(listDeploymentDevices, {
        params: { id: deployment.id },
        query: { status: 'failure', per_page: maxPerPage },
      });
      await navigate({
        to: '/deployments/new',
        search: { release: deployment.artifact_name, device: body.map(({ id }) => id) },
      });
    },
  });
  const failed = deployment.statistics.status.failure;
  if (failed === 0) return null;
  return (
    <>
      <Button onPress={() => retry.mutate()} isDisabled={retry.isPending}>
        Retry the failed{failed > maxPerPage ? ` (the first ${maxPerPage})` : ''}
      </Button>
      {retry.error !== null && <ErrorNotice attempt="Finding the failed devices" error={retry.error} />}
    </>
  );
};
