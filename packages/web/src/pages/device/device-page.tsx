import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { getDevice, getInventory } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { linkButton } from '../../components/link-button.ts';
import { Page } from '../../components/page.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { Time } from '../../components/time.tsx';
import { deviceName } from '../devices/attribute-text.ts';
import { decommissionDevices } from '../devices/device-decisions.ts';
import { GroupDialog } from '../devices/group-dialog.tsx';
import { AuthSets } from './auth-sets.tsx';
import { ConfigurationSection } from './configuration-section.tsx';
import { DeploymentHistory } from './deployment-history.tsx';
import { InventorySection } from './inventory-section.tsx';

/** All that is known of one device, and what can be done with it. */
export const DevicePage = () => {
  const { id } = useParams({ from: '/devices/$id' });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [dialog, setDialog] = useState<'none' | 'group' | 'decommission'>('none');
  const device = useQuery({
    queryKey: ['devices', 'one', id],
    queryFn: async ({ signal }) => (await call(getDevice, { params: { id }, signal })).body,
  });
  const inventory = useQuery({
    queryKey: ['inventory', 'one', id],
    queryFn: async ({ signal }) => (await call(getInventory, { params: { id }, signal })).body,
  });
  const decommission = useMutation({
    mutationFn: () => decommissionDevices([id]),
    onSuccess: async () => {
      await queries.invalidateQueries();
      await navigate({ to: '/devices' });
    },
  });
  const name = inventory.data === undefined ? id : deviceName(inventory.data);
  return (
    <Page
      title={name}
      lead={
        device.data !== undefined && (
          <>
            <StatusBadge status={device.data.status} /> last contact <Time at={device.data.check_in_time} /> ·{' '}
            <code>{id}</code>
          </>
        )
      }
      actions={
        <>
          <Link to="/deployments/new" search={{ device: [id] }} className={linkButton}>
            Deploy to it
          </Link>
          <Button onPress={() => setDialog('group')}>Put into a group</Button>
          <Button onPress={() => setDialog('decommission')}>Decommission</Button>
        </>
      }
    >
      {device.error !== null && <ErrorNotice attempt="Reading the device" error={device.error} />}
      {inventory.error !== null && <ErrorNotice attempt="Reading the inventory" error={inventory.error} />}
      {device.data !== undefined && <AuthSets device={device.data} />}
      <DeploymentHistory deviceId={id} />
      {inventory.data !== undefined && <InventorySection device={inventory.data} />}
      <ConfigurationSection deviceId={id} />
      <GroupDialog ids={[id]} isOpen={dialog === 'group'} onClose={() => setDialog('none')} />
      <ConfirmDialog
        title={`Decommission ${name}?`}
        isOpen={dialog === 'decommission'}
        onClose={() => setDialog('none')}
        action="Decommission"
        onConfirm={() => decommission.mutate()}
        isPending={decommission.isPending}
        error={decommission.error}
      >
        The server forgets its keys, inventory, group and place in deployments. If it asks again it appears as
        a new, pending device.
      </ConfirmDialog>
    </Page>
  );
};
