import { attributeScopes, filterOperators, type FilterTerm, type SearchBody } from '@tandem/api';

/** What the list of devices shows: it lives in the address, so that it can be sent to a colleague and comes back by `back`. */
export interface DeviceQuery {
  readonly page: number;
  readonly text: string;
  readonly filters: readonly FilterTerm[];
  readonly sort: ColumnSort | undefined;
  /** Attributes shown, as `scope/name`. */
  readonly columns: readonly string[];
}

export interface ColumnSort {
  readonly column: string;
  readonly order: 'asc' | 'desc';
}

export const perPage = 100;

export const defaultColumns = [
  'identity/status',
  'inventory/device_type',
  'inventory/artifact_name',
  'system/group',
  'system/updated_ts',
] as const;

const maxColumns = 12;
const maxFilters = 16;

/** Reads the address; what is not understood is left out, never an error: people edit addresses. */
export function readDeviceQuery(search: Readonly<Partial<Record<keyof DeviceQuery, unknown>>>): DeviceQuery {
  const page = Number(search['page']);
  const columns = strings(search['columns'])
    .filter((column) => attributeOf(column) !== undefined)
    .slice(0, maxColumns);
  return {
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
    text: typeof search['text'] === 'string' ? search['text'] : '',
    filters: list(search['filters']).filter(isFilterTerm).slice(0, maxFilters),
    sort: isSort(search['sort']) ? search['sort'] : undefined,
    columns: columns.length === 0 ? defaultColumns : columns,
  };
}

export type DeviceAddress = Partial<DeviceQuery>;

/** The address of a query: what is as by default is not in it. */
export const addressOf = ({ page, text, filters, sort, columns }: DeviceQuery): DeviceAddress => ({
  ...(page === 1 ? {} : { page }),
  ...(text === '' ? {} : { text }),
  ...(filters.length === 0 ? {} : { filters }),
  ...(sort === undefined ? {} : { sort }),
  ...(columns.join() === defaultColumns.join() ? {} : { columns }),
});

/** The query as the server is asked: for all attributes, since by which of them people call a device is known with the answer. */
export function searchBodyOf({ page, text, filters, sort }: DeviceQuery): SearchBody {
  const sortedBy = sort === undefined ? undefined : attributeOf(sort.column);
  return {
    page,
    per_page: perPage,
    ...(text === '' ? {} : { text }),
    filters: [...filters],
    ...(sortedBy === undefined ? {} : { sort: [{ ...sortedBy, order: sort?.order ?? 'asc' }] }),
  };
}

/** `scope/name`, where the name may have slashes. */
export function attributeOf(column: string): { scope: string; attribute: string } | undefined {
  const slash = column.indexOf('/');
  const scope = column.slice(0, slash);
  const attribute = column.slice(slash + 1);
  return attributeScopes.some((known) => known === scope) && attribute !== ''
    ? { scope, attribute }
    : undefined;
}

const isFilterTerm = (value: unknown): value is FilterTerm =>
  isRecord(value) &&
  typeof value['scope'] === 'string' &&
  typeof value['attribute'] === 'string' &&
  filterOperators.some((operator) => operator === value['type']) &&
  'value' in value;

const isSort = (value: unknown): value is ColumnSort =>
  isRecord(value) &&
  typeof value['column'] === 'string' &&
  attributeOf(value['column']) !== undefined &&
  (value['order'] === 'asc' || value['order'] === 'desc');

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const strings = (value: unknown): string[] =>
  list(value).filter((item): item is string => typeof item === 'string');
