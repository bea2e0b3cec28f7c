import { useQuery } from '@tanstack/react-query';
import { getDeviceDeploymentLog } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { Dialog, DialogActions } from '../../components/dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { saveFile } from '../../components/save-file.ts';
import styles from './log-dialog.module.css';

export interface LogDialogProps {
  readonly deploymentId: string;
  /** Whose log is open; undefined for none. */
  readonly deviceId: string | undefined;
  readonly onClose: () => void;
}

/** What a device logged in a deployment; lines that tell of an error stand out. */
export const LogDialog = ({ deploymentId, deviceId, onClose }: LogDialogProps) => {
  const log = useQuery({
    queryKey: ['deployments', 'log', deploymentId, deviceId],
    queryFn: async ({ signal }) =>
      (
        await call(getDeviceDeploymentLog, {
          params: { id: deploymentId, device_id: deviceId ?? '' },
          signal,
        })
      ).body,
    enabled: deviceId !== undefined,
  });
  return (
    <Dialog title="Log" isOpen={deviceId !== undefined} onClose={onClose} wide>
      {log.error !== null && <ErrorNotice attempt="Reading the log" error={log.error} />}
      {log.isPending && <p>Asking the server …</p>}
      {log.data !== undefined && (
        // A log is long: it scrolls within, by keyboard, too.
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <pre className={styles.log} tabIndex={0} aria-label={`Log of ${deviceId ?? ''}`}>
          {log.data.split('\n').map((line, index) => (
            // Lines of a log have no other name than their place.
            // oxlint-disable-next-line react/no-array-index-key
            <span key={index} className={/\b(?:error|fatal)\b/i.test(line) ? styles.error : undefined}>
              {`${line}\n`}
            </span>
          ))}
        </pre>
      )}
      <DialogActions>
        {log.data !== undefined && (
          <Button
            onPress={() =>
              saveFile(`${deviceId ?? 'device'}.log`, new Blob([log.data], { type: 'text/plain' }))
            }
          >
            Save
          </Button>
        )}
        <Button kind="primary" onPress={onClose}>
          Close
        </Button>
      </DialogActions>
    </Dialog>
  );
};
