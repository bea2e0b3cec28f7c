import { useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { addGroupDevices, listGroups } from '@tandem/api';
import { ComboBox, Input, Label, ListBox, ListBoxItem, Popover } from 'react-aria-components';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { Dialog, DialogActions } from '../../components/dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import choice from '../../components/choice.module.css';
import field from '../../components/text-field.module.css';

export interface GroupDialogProps {
  readonly ids: readonly string[];
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Puts devices into a group that there is, or into a new one by its name. */
export const GroupDialog = ({ ids, isOpen, onClose }: GroupDialogProps) => {
  const [name, setName] = useState('');
  const groups = useQuery({
    queryKey: ['inventory', 'groups'],
    queryFn: async ({ signal }) => (await call(listGroups, { signal })).body,
    enabled: isOpen,
  });
  const put = useMutation({
    mutationFn: () => call(addGroupDevices, { params: { name: name.trim() }, body: [...ids] }),
    onSuccess: onClose,
  });
  const items = (groups.data ?? []).map((group) => ({ id: group }));
  return (
    <Dialog title="Put into a group" isOpen={isOpen} onClose={onClose}>
      <p>A device is in one group at most: it leaves the one it is in now.</p>
      <ComboBox
        className={field.field ?? ''}
        allowsCustomValue
        inputValue={name}
        onInputChange={setName}
        defaultItems={items}
      >
        <Label className={field.label}>Group</Label>
        <Input className={field.input ?? ''} />
        <Popover className={choice.popover ?? ''}>
          <ListBox className={choice.list ?? ''} items={items}>
            {({ id }) => (
              <ListBoxItem id={id} textValue={id} className={choice.option ?? ''}>
                {id}
              </ListBoxItem>
            )}
          </ListBox>
        </Popover>
      </ComboBox>
      {put.error !== null && <ErrorNotice attempt="Putting the devices into the group" error={put.error} />}
      <DialogActions>
        <Button onPress={onClose}>Cancel</Button>
        <Button kind="primary" isDisabled={name.trim() === '' || put.isPending} onPress={() => put.mutate()}>
          Put into the group
        </Button>
      </DialogActions>
    </Dialog>
  );
};
