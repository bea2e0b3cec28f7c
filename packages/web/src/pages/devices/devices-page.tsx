import { useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { searchInventory, type InventoryDevice } from '@tandem/api';
import { call } from '../../api/call.ts';
import { DataTable, type TableColumn } from '../../components/data-table.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Page } from '../../components/page.tsx';
import { Pager } from '../../components/pager.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { Time } from '../../components/time.tsx';
import { attributeText, deviceName } from './attribute-text.ts';
import { BulkActions } from './bulk-actions.tsx';
import { ColumnChoice } from './column-choice.tsx';
import { addressOf, perPage, readDeviceQuery, searchBodyOf, type DeviceQuery } from './device-query.ts';
import { ExportButton } from './export-button.tsx';
import { FilterBar } from './filter-bar.tsx';
import { StatusTabs } from './status-tabs.tsx';

/** All devices, of every status: what is shown lives in the address. */
export const DevicesPage = () => {
  const query = readDeviceQuery(useSearch({ from: '/devices' }));
  const navigate = useNavigate({ from: '/devices' });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const body = searchBodyOf(query);
  const devices = useQuery({
    queryKey: ['inventory', 'search', body],
    queryFn: async ({ signal }) => {
      const answer = await call(searchInventory, { body, signal });
      return { rows: answer.body, total: Number(answer.headers['x-total-count'] ?? answer.body.length) };
    },
    // The last page stays while the next one comes.
    placeholderData: keepPreviousData,
  });
  const show = (changes: Partial<DeviceQuery>) => {
    setSelected(new Set());
    void navigate({ search: addressOf({ ...query, page: 1, ...changes }) });
  };
  const rows = devices.data?.rows ?? [];
  return (
    <Page
      title="Devices"
      actions={
        <>
          <ColumnChoice columns={query.columns} onChange={(columns) => show({ columns })} />
          <ExportButton query={query} />
        </>
      }
    >
      <StatusTabs filters={query.filters} onChange={(filters) => show({ filters })} />
      <FilterBar text={query.text} filters={query.filters} onChange={show} />
      {devices.error !== null && <ErrorNotice attempt="Searching the devices" error={devices.error} />}
      <BulkActions selected={selected} onDone={() => setSelected(new Set())} />
      <DataTable
        label="Devices"
        columns={columnsOf(query.columns)}
        rows={rows}
        keyOf={({ id }) => id}
        nameOf={deviceName}
        selected={selected}
        onSelect={setSelected}
        onOpen={(id) => void navigate({ to: '/devices/$id', params: { id } })}
        {...(query.sort === undefined
          ? {}
          : {
              sort: {
                column: query.sort.column,
                direction: query.sort.order === 'asc' ? ('ascending' as const) : ('descending' as const),
              },
            })}
        onSort={({ column, direction }) =>
          show({ sort: { column: String(column), order: direction === 'ascending' ? 'asc' : 'desc' } })
        }
        empty={
          <NoDevices
            isFiltered={query.filters.length > 0 || query.text !== ''}
            isPending={devices.data === undefined}
          />
        }
      />
      <Pager
        page={query.page}
        perPage={perPage}
        total={devices.data?.total}
        shown={rows.length}
        onPage={(page) => show({ page })}
      />
    </Page>
  );
};

const columnsOf = (columns: readonly string[]): TableColumn<InventoryDevice>[] => [
  { id: 'name', label: 'Device', cell: deviceName },
  ...columns.map((column) => ({
    id: column,
    label: headingOf(column),
    isSortable: true,
    cell: (device: InventoryDevice) => cellOf(device, column),
  })),
];

/** Words for the attributes everybody has; the others are called as the device calls them. */
const headings: Readonly<Partial<Record<string, string>>> = {
  'identity/status': 'Status',
  'inventory/device_type': 'Device type',
  'inventory/artifact_name': 'Software',
  'system/group': 'Group',
  'system/updated_ts': 'Last report',
  'system/created_ts': 'First seen',
  'system/check_in_time': 'Last contact',
};

export const headingOf = (column: string): string =>
  headings[column] ?? column.slice(column.indexOf('/') + 1);

function cellOf(device: InventoryDevice, column: string) {
  const text = attributeText(device, column);
  if (column === 'identity/status') return <StatusBadge status={text} />;
  if (/_(?:ts|time)$/.test(column) && text !== '') return <Time at={text} />;
  return text;
}

const NoDevices = ({
  isFiltered,
  isPending,
}: {
  readonly isFiltered: boolean;
  readonly isPending: boolean;
}) => {
  if (isPending) return <EmptyState title="Asking the server …" />;
  if (isFiltered) return <EmptyState title="No device matches these filters." />;
  return (
    <EmptyState title="There are no devices yet.">
      <a href={`${import.meta.env.BASE_URL}connect`}>Connect the first one</a>
    </EmptyState>
  );
};
