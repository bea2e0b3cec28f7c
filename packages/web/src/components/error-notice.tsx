import { ApiError } from '@tandem/api';
import { reasonOf } from '../api/reason-of.ts';
import styles from './error-notice.module.css';

/** What failed and why, in words, with the request id that the server's log has, too. */
export const ErrorNotice = ({ attempt, error }: { readonly attempt: string; readonly error: unknown }) => (
  <div role="alert" className={styles.notice}>
    <p>
      <strong>{attempt} failed.</strong> {reasonOf(error)}
    </p>
    {error instanceof ApiError && error.requestId !== undefined && (
      <p className={styles.id}>
        Request <code>{error.requestId}</code>
      </p>
    )}
  </div>
);
