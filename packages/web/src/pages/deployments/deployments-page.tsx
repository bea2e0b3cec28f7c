import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { listDeployments, type Deployment } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Choice } from '../../components/choice.tsx';
import { DataTable, type TableColumn } from '../../components/data-table.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { linkButton } from '../../components/link-button.ts';
import { EmptyState, Page } from '../../components/page.tsx';
import { Pager } from '../../components/pager.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { Time } from '../../components/time.tsx';
import { deploymentStatuses, type DeploymentAddress } from './deployment-query.ts';
import styles from './deployments-page.module.css';
import { StatusBar } from './status-bar.tsx';

const perPage = 50;

const columns: readonly TableColumn<Deployment>[] = [
  { id: 'name', label: 'Deployment', cell: ({ name }) => name },
  { id: 'release', label: 'Release', cell: ({ artifact_name }) => artifact_name },
  { id: 'status', label: 'Status', width: 140, cell: ({ status }) => <StatusBadge status={status} /> },
  {
    id: 'devices',
    label: 'Devices',
    cell: ({ statistics, max_devices }) => (
      <span className={styles.devices}>
        {max_devices.toLocaleString()}
        <StatusBar counts={statistics.status} total={max_devices} isLegendShown={false} />
      </span>
    ),
  },
  { id: 'created', label: 'Created', width: 150, cell: ({ created }) => <Time at={created} /> },
];

/** Every deployment, the newest first. */
export const DeploymentsPage = () => {
  const address = useSearch({ from: '/deployments' });
  const navigate = useNavigate({ from: '/deployments' });
  const { page = 1, status, search } = address;
  const show = (changes: DeploymentAddress) => void navigate({ search: { ...address, page: 1, ...changes } });
  const deployments = useQuery({
    queryKey: ['deployments', 'list', address],
    queryFn: async ({ signal }) => {
      const query = {
        page,
        per_page: perPage,
        ...(status === undefined ? {} : { status }),
        ...(search === undefined ? {} : { search }),
      };
      const { body, headers } = await call(listDeployments, { query, signal });
      const total = headers['x-total-count'];
      return { rows: body, total: total === undefined ? undefined : Number(total) };
    },
    placeholderData: keepPreviousData,
  });
  const rows = deployments.data?.rows ?? [];
  return (
    <Page
      title="Deployments"
      actions={
        <Link to="/deployments/new" className={linkButton}>
          New deployment
        </Link>
      }
    >
      <div className={styles.bar}>
        <SearchField
          label="Search by name"
          value={search ?? ''}
          onSearch={(text) => show({ search: text })}
        />
        <Choice
          label="Status"
          value={status ?? 'all'}
          onChange={(chosen) =>
            void navigate({
              search: {
                ...(search === undefined ? {} : { search }),
                ...(chosen === 'all' ? {} : { status: chosen }),
              },
            })
          }
          options={[
            { value: 'all' as const, label: 'All' },
            ...deploymentStatuses.map((value) => ({ value, label: statusWords[value] })),
          ]}
        />
      </div>
      {deployments.error !== null && (
        <ErrorNotice attempt="Listing the deployments" error={deployments.error} />
      )}
      <DataTable
        label="Deployments"
        columns={columns}
        rows={rows}
        keyOf={({ id }) => id}
        nameOf={({ name }) => name}
        onOpen={(id) => void navigate({ to: '/deployments/$id', params: { id } })}
        empty={
          <EmptyState
            title={
              deployments.data === undefined
                ? 'Asking the server …'
                : status === undefined && search === undefined
                  ? 'Nothing has been deployed yet.'
                  : 'No deployment matches.'
            }
          />
        }
      />
      <Pager
        page={page}
        perPage={perPage}
        total={deployments.data?.total}
        shown={rows.length}
        onPage={(next) => show({ page: next })}
      />
    </Page>
  );
};

const statusWords = { inprogress: 'In progress', pending: 'Pending', finished: 'Finished' } as const;
