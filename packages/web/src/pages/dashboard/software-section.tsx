import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { countAttributeValues } from '@tandem/api';
import { call } from '../../api/call.ts';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Section } from '../../components/page.tsx';
import { statusFilter } from '../devices/status-tabs.tsx';
import styles from './software-section.module.css';

const attribute = { scope: 'inventory', attribute: 'artifact_name' } as const;
const rowsShown = 8;

/** What the accepted devices run, the most frequent first; each bar leads to its devices. */
export const SoftwareSection = () => {
  const software = useQuery({
    queryKey: ['inventory', 'values', attribute],
    queryFn: async ({ signal }) => (await call(countAttributeValues, { query: attribute, signal })).body,
  });
  const { values = [], devices = 0 } = software.data ?? {};
  const shown = values.slice(0, rowsShown);
  const others = devices - shown.reduce((sum, { count }) => sum + count, 0);
  return (
    <Section title="Software in the fleet">
      {software.error !== null && <ErrorNotice attempt="Counting the software" error={software.error} />}
      {software.data !== undefined && devices === 0 && (
        <EmptyState title="No device has reported its software yet." />
      )}
      <ol className={styles.chart} aria-label="Devices by software">
        {shown.map(({ value, count }) => (
          <li key={value} className={styles.row}>
            <Link
              to="/devices"
              search={{ filters: [statusFilter('accepted'), { ...attribute, type: '$eq', value }] }}
              className={styles.name ?? ''}
              title={value}
            >
              {value}
            </Link>
            <span className={styles.track} aria-hidden="true">
              <span className={styles.bar} style={{ width: `${(count / devices) * 100}%` }} />
            </span>
            <span className={styles.count}>
              {count.toLocaleString()} ({percent(count / devices)})
            </span>
          </li>
        ))}
      </ol>
      {others > 0 && <p className={styles.others}>{others.toLocaleString()} devices run other software.</p>}
    </Section>
  );
};

const percent = (part: number): string => part.toLocaleString(undefined, { style: 'percent' });
