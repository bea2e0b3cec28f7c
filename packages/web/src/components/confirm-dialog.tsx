import type { ReactNode } from 'react';
import { Button } from './button.tsx';
import { Dialog, DialogActions } from './dialog.tsx';
import { ErrorNotice } from './error-notice.tsx';

export interface ConfirmDialogProps {
  readonly title: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  /** The verb on the button: what will be done. */
  readonly action: string;
  readonly onConfirm: () => void;
  readonly isPending: boolean;
  /** Why the last attempt failed. */
  readonly error?: unknown;
  /** What will happen, in words. */
  readonly children: ReactNode;
}

/** Asks before something that cannot be taken back, and stays open while it fails. */
export const ConfirmDialog = ({
  title,
  isOpen,
  onClose,
  action,
  onConfirm,
  isPending,
  error,
  children,
}: ConfirmDialogProps) => (
  <Dialog title={title} isOpen={isOpen} onClose={onClose} role="alertdialog">
    <div>{children}</div>
    {error !== undefined && error !== null && <ErrorNotice attempt={action} error={error} />}
    <DialogActions>
      <Button onPress={onClose}>Cancel</Button>
      <Button kind="danger" onPress={onConfirm} isDisabled={isPending}>
        {isPending ? `${action} …` : action}
      </Button>
    </DialogActions>
  </Dialog>
);
