import { ServerError } from '../server-error.ts';
import type { DeploymentStatus } from './deployment-status.ts';
import type { Deployment, DeploymentFilter } from './deployment-store.ts';
import { statusesNamed, type DeviceDeploymentStatus } from './device-deployment-statuses.ts';

/** What `?status=` may say, and what it finds: an aborted deployment is a finished one (server contract 4.6). */
const statusQueries: Readonly<Record<string, DeploymentStatus>> = {
  scheduled: 'scheduled',
  pending: 'pending',
  inprogress: 'inprogress',
  finished: 'finished',
  aborted: 'finished',
};
const kinds = ['software', 'configuration'] as const satisfies readonly Deployment['kind'][];

export interface ListQuery {
  readonly status?: string;
  readonly type?: string;
  readonly created_after?: string;
  readonly created_before?: string;
}

/** Throws `badRequest` in the reference's words. */
export function listFilter(query: ListQuery): DeploymentFilter {
  const from = seconds(query.created_after);
  const to = seconds(query.created_before);
  return {
    statuses: nonEmpty(query.status) && [statusNamed(query.status ?? '')],
    kind: nonEmpty(query.type) && kindNamed(query.type ?? ''),
    createdFrom: from && from * 1000,
    // The whole of that second is in it.
    createdTo: to && to * 1000 + 999,
  };
}

export function listDirection(sort: string | undefined): 'asc' | 'desc' {
  if (sort === undefined || sort === '') return 'desc';
  if (sort === 'asc' || sort === 'desc') return sort;
  throw new ServerError('badRequest', 'invalid form value: must be one of "asc" or "desc"');
}

/** `?status=` of lists of devices. Throws `badRequest`. */
export function deviceStatuses(status: string | undefined): readonly DeviceDeploymentStatus[] | undefined {
  if (status === undefined || status === '') return undefined;
  const statuses = statusesNamed(status);
  if (statuses === undefined) throw new ServerError('badRequest', 'status: must be a valid value');
  return statuses;
}

const nonEmpty = (text: string | undefined): true | undefined =>
  text === undefined || text === '' ? undefined : true;

function statusNamed(name: string): DeploymentStatus {
  const status = Object.hasOwn(statusQueries, name) ? statusQueries[name] : undefined;
  if (status === undefined) throw new ServerError('badRequest', `unknown status ${name.slice(0, 64)}`);
  return status;
}

function kindNamed(name: string): Deployment['kind'] {
  const kind = kinds.find((one) => one === name);
  if (kind === undefined) throw new ServerError('badRequest', `unknown deployment type ${name.slice(0, 64)}`);
  return kind;
}

function seconds(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^-?[0-9]{1,11}$/.test(text))
    throw new ServerError('badRequest', `invalid timestamp: ${text.slice(0, 64)}`);
  return Number(text);
}
