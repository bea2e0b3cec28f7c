import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { addVirtualDevice } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Section } from '../../components/page.tsx';
import { statusFilter } from '../devices/status-tabs.tsx';

/** Where the server has the means (the demo): a device without hardware, in one click. */
export const VirtualDeviceSection = () => {
  const add = useMutation({ mutationFn: async () => (await call(addVirtualDevice, {})).body });
  return (
    <Section
      title="No device at hand?"
      actions={
        <Button kind="primary" isDisabled={add.isPending} onPress={() => add.mutate()}>
          {add.isPending ? 'Switching it on …' : 'Start a virtual device'}
        </Button>
      }
    >
      <p>It runs the real client on files that stand for its partitions, and updates like any other.</p>
      <div role="status">
        {add.data !== undefined && (
          <p>
            <strong>{add.data.name}</strong> is on, with the identity{' '}
            <code>
              {Object.entries(add.data.identity)
                .map(([name, value]) => `${name}=${value}`)
                .join(', ')}
            </code>
            . Accept it among the{' '}
            <Link to="/devices" search={{ filters: [statusFilter('pending')] }}>
              pending devices
            </Link>
            .
          </p>
        )}
      </div>
      {add.isError && <ErrorNotice attempt="Starting a virtual device" error={add.error} />}
    </Section>
  );
};
