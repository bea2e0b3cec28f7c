import { useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { Button } from '../../components/button.tsx';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { decommissionDevices, setDeviceStatus } from './device-decisions.ts';
import styles from './bulk-actions.module.css';
import { GroupDialog } from './group-dialog.tsx';

export interface BulkActionsProps {
  readonly selected: ReadonlySet<string>;
  readonly onDone: () => void;
}

/** What can be done with several devices at once; shown while some are selected. */
export const BulkActions = ({ selected, onDone }: BulkActionsProps) => {
  const ids = [...selected];
  const [dialog, setDialog] = useState<'none' | 'group' | 'decommission'>('none');
  const decide = useMutation({
    mutationFn: (status: 'accepted' | 'rejected') => setDeviceStatus(ids, status),
    onSuccess: onDone,
  });
  const decommission = useMutation({
    mutationFn: () => decommissionDevices(ids),
    onSuccess: () => {
      setDialog('none');
      onDone();
    },
  });
  if (ids.length === 0) return null;
  const isBusy = decide.isPending || decommission.isPending;
  const devices = ids.length === 1 ? '1 device' : `${ids.length} devices`;
  return (
    <div role="toolbar" aria-label="With the selected devices" className={styles.bar}>
      <strong>{devices} selected</strong>
      <Button kind="primary" small isDisabled={isBusy} onPress={() => decide.mutate('accepted')}>
        Accept
      </Button>
      <Button small isDisabled={isBusy} onPress={() => decide.mutate('rejected')}>
        Reject
      </Button>
      <Button small isDisabled={isBusy} onPress={() => setDialog('group')}>
        Put into a group
      </Button>
      <Button small isDisabled={isBusy} onPress={() => setDialog('decommission')}>
        Decommission
      </Button>
      {decide.error !== null && <ErrorNotice attempt="Deciding on the devices" error={decide.error} />}
      <GroupDialog ids={ids} isOpen={dialog === 'group'} onClose={() => setDialog('none')} />
      <ConfirmDialog
        title={`Decommission ${devices}?`}
        isOpen={dialog === 'decommission'}
        onClose={() => setDialog('none')}
        action="Decommission"
        onConfirm={() => decommission.mutate()}
        isPending={decommission.isPending}
        error={decommission.error}
      >
        The server forgets their keys, inventory, group and place in deployments. A device that asks again
        appears as a new, pending one.
      </ConfirmDialog>
    </div>
  );
};
