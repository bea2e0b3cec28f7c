import type { Deployment } from '@tandem/api';
import { statusLook, type Tone } from '../../components/status-badge.tsx';
import styles from './status-bar.module.css';

type Counts = Deployment['statistics']['status'];

/** In the order of a device's way through a deployment, its outcomes first. */
const order = [
  'success',
  'already-installed',
  'failure',
  'aborted',
  'noartifact',
  'decommissioned',
  'pause_before_committing',
  'rebooting',
  'pause_before_rebooting',
  'installing',
  'pause_before_installing',
  'downloading',
  'pending',
] as const satisfies readonly (keyof Counts)[];

/** The devices of a deployment by status, as one bar; below it the numbers in words. */
export const StatusBar = ({ counts, total, isLegendShown = true }: StatusBarProps) => {
  const parts = order.map((status) => ({ status, count: counts[status], ...statusLook(status) }));
  const shown = parts.filter(({ count }) => count > 0);
  const waiting = total - parts.reduce((sum, { count }) => sum + count, 0);
  const words = shown.map(({ label, count }) => `${count.toLocaleString()} ${label.toLowerCase()}`);
  if (waiting > 0) words.push(`${waiting.toLocaleString()} not asked yet`);
  return (
    <div className={styles.status}>
      <div className={styles.bar} role="img" aria-label={words.join(', ') || 'no devices'}>
        {shown.map(({ status, tone, count }) => (
          <span key={status} className={`${styles.part} ${styles[tone]}`} style={{ flexGrow: count }} />
        ))}
        {waiting > 0 && <span className={styles.part} style={{ flexGrow: waiting }} />}
      </div>
      {isLegendShown && (
        <ul className={styles.legend}>
          {shown.map(({ status, tone, label, count }) => (
            <Entry key={status} tone={tone} count={count} label={label} />
          ))}
          {waiting > 0 && <Entry tone="neutral" count={waiting} label="Not asked yet" />}
        </ul>
      )}
    </div>
  );
};

export interface StatusBarProps {
  readonly counts: Counts;
  /** Devices targeted. */
  readonly total: number;
  readonly isLegendShown?: boolean;
}

const Entry = ({
  tone,
  count,
  label,
}: {
  readonly tone: Tone;
  readonly count: number;
  readonly label: string;
}) => (
  <li className={styles.entry}>
    <span className={`${styles.mark} ${styles[tone]}`} aria-hidden="true" />
    <strong>{count.toLocaleString()}</strong> {label}
  </li>
);
