import { Label, ProgressBar } from 'react-aria-components';
import styles from './progress.module.css';

/** How far something has come; `part` from 0 to 1. */
export const Progress = ({ label, part }: { readonly label: string; readonly part: number }) => (
  <ProgressBar className={styles.progress ?? ''} value={part * 100}>
    {({ percentage = 0, valueText }) => (
      <>
        <span className={styles.words}>
          <Label>{label}</Label>
          <span>{valueText}</span>
        </span>
        <span className={styles.track}>
          <span className={styles.fill} style={{ width: `${percentage}%` }} />
        </span>
      </>
    )}
  </ProgressBar>
);
