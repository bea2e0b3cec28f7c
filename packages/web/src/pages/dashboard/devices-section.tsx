import { Link } from '@tanstack/react-router';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Section } from '../../components/page.tsx';
import { statusLook } from '../../components/status-badge.tsx';
import { statusFilter } from '../devices/status-tabs.tsx';
import styles from './dashboard-page.module.css';
import { useDeviceCounts } from './device-counts.ts';

const shown = ['accepted', 'pending', 'rejected', 'preauthorized'] as const;

export const DevicesSection = () => {
  const { data, error } = useDeviceCounts();
  const total = Object.values(data ?? {}).reduce((sum, count) => sum + count, 0);
  return (
    <Section title="Devices">
      {error !== null && <ErrorNotice attempt="Counting the devices" error={error} />}
      {data !== undefined && total === 0 && (
        <EmptyState title="No device has asked to be let in yet.">
          <Link to="/connect">Connect a device</Link>
        </EmptyState>
      )}
      {total > 0 && (
        <ul className={styles.numbers}>
          {shown
            .filter((status) => status === 'accepted' || (data?.[status] ?? 0) > 0)
            .map((status) => (
              <li key={status}>
                <Link
                  to="/devices"
                  search={{ filters: [statusFilter(status)] }}
                  className={styles.number ?? ''}
                >
                  <strong>{(data?.[status] ?? 0).toLocaleString()}</strong>
                  {statusLook(status).label}
                </Link>
              </li>
            ))}
        </ul>
      )}
    </Section>
  );
};
