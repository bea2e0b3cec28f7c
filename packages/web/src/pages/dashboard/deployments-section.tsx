import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { listDeployments } from '@tandem/api';
import { call } from '../../api/call.ts';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Section } from '../../components/page.tsx';
import { Time } from '../../components/time.tsx';
import { StatusBar } from '../deployments/status-bar.tsx';
import styles from './dashboard-page.module.css';

export interface DeploymentsSectionProps {
  readonly title: string;
  readonly status: 'inprogress' | 'finished';
  readonly none: string;
}

const shown = 5;

/** The newest deployments of one status, with how far each has come. */
export const DeploymentsSection = ({ title, status, none }: DeploymentsSectionProps) => {
  const deployments = useQuery({
    queryKey: ['deployments', 'newest', status],
    queryFn: async ({ signal }) =>
      (await call(listDeployments, { query: { status, per_page: shown }, signal })).body,
  });
  return (
    <Section
      title={title}
      actions={
        <Link to="/deployments" search={{ status }}>
          All
        </Link>
      }
    >
      {deployments.error !== null && (
        <ErrorNotice attempt="Listing the deployments" error={deployments.error} />
      )}
      {deployments.data?.length === 0 && <p className={styles.muted}>{none}</p>}
      <ul className={styles.list}>
        {deployments.data?.map(({ id, name, created, statistics, max_devices }) => (
          <li key={id} className={styles.entry}>
            <Link to="/deployments/$id" params={{ id }}>
              {name}
            </Link>
            <StatusBar counts={statistics.status} total={max_devices} />
            <span className={styles.muted}>
              created <Time at={created} />
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
};
