import { useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { listDeploymentDevices, type Deployment, type DeviceDeployment } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { Choice } from '../../components/choice.tsx';
import { DataTable, type TableColumn } from '../../components/data-table.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Section } from '../../components/page.tsx';
import { Pager } from '../../components/pager.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { Time } from '../../components/time.tsx';
import { useDeviceNames } from '../devices/use-device-names.ts';
import { LogDialog } from './log-dialog.tsx';

const perPage = 50;

/** As the list of the contract is filtered. */
const filters = [
  { value: 'all', label: 'All' },
  { value: 'active', label: 'Under way' },
  { value: 'finished', label: 'Ended' },
  { value: 'success', label: 'Success' },
  { value: 'failure', label: 'Failure' },
  { value: 'pause', label: 'Paused' },
] as const;
type Filter = (typeof filters)[number]['value'];

export interface DeploymentDevicesProps {
  readonly deploymentId: string;
  readonly counts: Deployment['statistics']['status'];
}

/** The devices that have asked, with the state of each as it reports it. */
export const DeploymentDevices = ({ deploymentId, counts }: DeploymentDevicesProps) => {
  const [page, setPage] = useState(1);
  const [filter, setFilter] = useState<Filter>('all');
  const [logOf, setLogOf] = useState<string>();
  const devices = useQuery({
    queryKey: ['deployments', 'devices', deploymentId, filter, page],
    queryFn: async ({ signal }) => {
      const { body, headers } = await call(listDeploymentDevices, {
        params: { id: deploymentId },
        query: { page, per_page: perPage, ...(filter === 'all' ? {} : { status: filter }) },
        signal,
      });
      const total = headers['x-total-count'];
      return { rows: body, total: total === undefined ? undefined : Number(total) };
    },
    placeholderData: keepPreviousData,
  });
  const rows = devices.data?.rows ?? [];
  const nameOf = useDeviceNames(rows.map(({ id }) => id));
  const asked = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return (
    <Section
      title="Devices"
      actions={
        <Choice
          label="Show"
          isLabelHidden
          value={filter}
          options={filters}
          onChange={(chosen) => {
            setFilter(chosen);
            setPage(1);
          }}
        />
      }
    >
      {devices.error !== null && <ErrorNotice attempt="Listing the devices" error={devices.error} />}
      <DataTable
        label="Devices of the deployment"
        columns={columnsWith(nameOf, setLogOf)}
        rows={rows}
        keyOf={({ id }) => id}
        nameOf={({ id }) => nameOf(id)}
        empty={
          <EmptyState title={asked === 0 ? 'No device has asked yet.' : 'No device is in this state.'}>
            {asked === 0 && <p>Each device asks at its own interval; what it does then shows here.</p>}
          </EmptyState>
        }
      />
      <Pager page={page} perPage={perPage} total={devices.data?.total} shown={rows.length} onPage={setPage} />
      <LogDialog deploymentId={deploymentId} deviceId={logOf} onClose={() => setLogOf(undefined)} />
    </Section>
  );
};

const columnsWith = (
  nameOf: (deviceId: string) => string,
  openLog: (deviceId: string) => void,
): TableColumn<DeviceDeployment>[] => [
  {
    id: 'id',
    label: 'Device',
    cell: ({ id }) => (
      <Link to="/devices/$id" params={{ id }} title={id}>
        {nameOf(id)}
      </Link>
    ),
  },
  { id: 'status', label: 'Status', width: 200, cell: ({ status }) => <StatusBadge status={status} /> },
  { id: 'substate', label: 'Step', cell: ({ substate }) => substate ?? '' },
  { id: 'started', label: 'Started', width: 150, cell: ({ started }) => <Time at={started} /> },
  { id: 'finished', label: 'Ended', width: 150, cell: ({ finished }) => <Time at={finished} /> },
  {
    id: 'log',
    label: 'Log',
    width: 100,
    cell: ({ id, log }) =>
      log ? (
        <Button kind="plain" aria-label={`Log of ${nameOf(id)}`} onPress={() => openLog(id)}>
          Log
        </Button>
      ) : null,
  },
];
