import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { listDeployments, searchInventory, type FilterTerm } from '@tandem/api';
import { call } from '../../api/call.ts';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Section } from '../../components/page.tsx';
import { useNow } from '../../components/use-now.ts';
import { statusFilter } from '../devices/status-tabs.tsx';
import styles from './dashboard-page.module.css';
import { useDeviceCounts } from './device-counts.ts';

const silentAfterMs = 24 * 3_600_000;
/** Of the newest deployments. */
const looked = 20;

/** What somebody should see to: nothing here means that all is well. */
export const AttentionSection = () => {
  const counts = useDeviceCounts();
  const silent = useSilentDevices();
  const failing = useQuery({
    queryKey: ['deployments', 'failing'],
    queryFn: async ({ signal }) => {
      const { body } = await call(listDeployments, { query: { per_page: looked }, signal });
      return body.filter(({ statistics }) => statistics.status.failure > 0);
    },
  });
  const pending = counts.data?.['pending'] ?? 0;
  const errors = [counts.error, silent.error, failing.error].filter((error) => error !== null);
  const isKnown = counts.isSuccess && silent.isSuccess && failing.isSuccess;
  const isNothing = pending === 0 && silent.data?.count === 0 && failing.data?.length === 0;
  return (
    <Section title="Needs attention">
      {errors[0] !== undefined && (
        <ErrorNotice attempt="Looking for what needs attention" error={errors[0]} />
      )}
      {isKnown && isNothing && (
        <p className={styles.muted}>Nothing: no device waits, none is silent, none failed.</p>
      )}
      <ul className={styles.list}>
        {pending > 0 && (
          <li>
            <Link to="/devices" search={{ filters: [statusFilter('pending')] }}>
              {devices(pending)} {pending === 1 ? 'waits' : 'wait'} to be accepted
            </Link>
          </li>
        )}
        {silent.data !== undefined && silent.data.count > 0 && (
          <li>
            <Link to="/devices" search={{ filters: silent.data.filters }}>
              {devices(silent.data.count)} not heard of for a day
            </Link>
          </li>
        )}
        {failing.data?.map(({ id, name, statistics }) => (
          <li key={id}>
            <Link to="/deployments/$id" params={{ id }}>
              {name}: {devices(statistics.status.failure)} failed
            </Link>
          </li>
        ))}
      </ul>
    </Section>
  );
};

const devices = (count: number): string => (count === 1 ? '1 device' : `${count.toLocaleString()} devices`);

function useSilentDevices() {
  // By the hour, so that the question stays the same while one looks.
  const since = Math.floor((useNow() - silentAfterMs) / 3_600_000) * 3_600_000;
  const filters: FilterTerm[] = [
    statusFilter('accepted'),
    { scope: 'system', attribute: 'check_in_time', type: '$lt', value: new Date(since).toISOString() },
  ];
  return useQuery({
    queryKey: ['inventory', 'silent', since],
    queryFn: async ({ signal }) => {
      const { body, headers } = await call(searchInventory, { body: { filters, per_page: 1 }, signal });
      return { count: Number(headers['x-total-count'] ?? body.length), filters };
    },
  });
}
