import {
  abortDeployment,
  abortDeviceDeployments,
  clearDeviceHistory,
  createDeployment,
  createGroupDeployment,
  getDeployment,
  getDeploymentDevices,
  getDeploymentStatistics,
  getDeploymentTargets,
  getDeviceDeploymentLog,
  listDeploymentDevices,
  listDeployments,
  listDeploymentStatistics,
  listDeploymentsV2,
  listDeviceHistory,
  maxHistoryPerPage,
  pageOf,
} from '@tandem/api';
import type { Actor } from '../actor.ts';
import { pagingHeaders } from '../http/paging-headers.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { assertUuid } from '../uuid.ts';
import { deviceStatuses, listDirection, listFilter } from './deployment-queries.ts';
import type { DeploymentFilter } from './deployment-store.ts';
import { deploymentView, deviceDeploymentId, deviceDeploymentView, logText } from './deployment-views.ts';
import type { DeploymentReading } from './deployment-reading.ts';
import type { Deployments } from './deployments.ts';
import type { DeviceReports } from './device-reports.ts';
import { wantedDeployment } from './new-deployment.ts';

const created = (id: string) => ({ location: `/api/management/v1/deployments/deployments/${id}` });

/** What users see and do of deployments (server contract 4.5 to 4.7). */
export function registerDeploymentRoutes(
  register: RegisterRoute,
  deployments: Deployments,
  reading: DeploymentReading,
  reports: DeviceReports,
): void {
  register(createDeployment, async ({ actor, body }) => ({
    status: 201,
    headers: created(await deployments.create(actor, wantedDeployment(body))),
  }));

  register(createGroupDeployment, async ({ actor, params, body }) => ({
    status: 201,
    headers: created(await deployments.create(actor, wantedDeployment(body, params.name))),
  }));

  register(listDeployments, async ({ actor, query, url, signal }) => {
    const page = pageOf(query);
    const filter = { ...listFilter(query), search: query.search };
    const found = await reading.page(actor, filter, listDirection(query.sort), page, signal);
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: found.total }),
      body: found.deployments.map(deploymentView),
    };
  });

  register(listDeploymentsV2, async ({ actor, query, url, signal }) => {
    const page = pageOf(query);
    const direction = listDirection(query.sort);
    const filter = { ...listFilter(query), names: query.name, ids: query.id?.map(assertUuid) };
    let found = await reading.page(actor, filter, direction, page, signal);
    if (found.total === 0) {
      const ofDevice = await filterByAttribute(reading, actor, filter, query, signal);
      found = await reading.page(actor, ofDevice, direction, page, signal);
    }
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: found.total }),
      body: found.deployments.map(deploymentView),
    };
  });

  register(getDeployment, async ({ actor, params }) => ({
    status: 200,
    body: deploymentView(await reading.get(actor, assertUuid(params.id))),
  }));

  register(abortDeployment, async ({ actor, params, body }) => {
    const id = assertUuid(params.id);
    if (body.status !== 'aborted') throw new ServerError('badRequest', 'Unexpected deployment status');
    await deployments.abort(actor, id);
    return { status: 204 };
  });

  register(getDeploymentStatistics, async ({ actor, params }) => ({
    status: 200,
    body: { ...(await reading.statistics(actor, assertUuid(params.id))) },
  }));

  register(listDeploymentStatistics, async ({ actor, body, signal }) => {
    const ids = (body.deployment_ids ?? []).map(assertUuid);
    if (ids.length === 0) return { status: 200, body: {} };
    const found = await reading.statisticsOf(actor, ids, signal);
    if (found.length === 0) throw new ServerError('notFound', 'Resource not found');
    return { status: 200, body: found.map(({ id, stats }) => ({ id, stats: { ...stats } })) };
  });

  register(getDeploymentDevices, async ({ actor, params, signal }) => ({
    status: 200,
    body: (await reading.devices(actor, assertUuid(params.id), signal)).map(deviceDeploymentView),
  }));

  register(listDeploymentDevices, async ({ actor, params, query, url, signal }) => {
    const page = pageOf(query);
    const statuses = deviceStatuses(query.status);
    const found = await reading.devicePage(actor, assertUuid(params.id), statuses, page, signal);
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: found.total }),
      body: found.devices.map(deviceDeploymentView),
    };
  });

  register(getDeploymentTargets, async ({ actor, params, signal }) => ({
    status: 200,
    body: await reading.targets(actor, assertUuid(params.id), signal),
  }));

  register(getDeviceDeploymentLog, async ({ actor, params }) => ({
    status: 200,
    body: logText(await reading.log(actor, assertUuid(params.id), params.device_id)),
  }));

  register(listDeviceHistory, async ({ actor, params, query, url, signal }) => {
    const page = pageOf({ ...query, per_page: query.per_page ?? maxHistoryPerPage });
    const statuses = deviceStatuses(query.status);
    const found = await reading.history(actor, params.device_id, statuses, page, signal);
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: found.total }),
      body: found.entries.map(({ part, deployment }) => ({
        id: deviceDeploymentId(part),
        ...(deployment === undefined ? {} : { deployment: deploymentView(deployment) }),
        device: deviceDeploymentView(part),
      })),
    };
  });

  register(abortDeviceDeployments, async ({ actor, params }) => {
    await reports.abortForDevice(actor, params.device_id);
    return { status: 204 };
  });

  register(clearDeviceHistory, async ({ actor, params }) => {
    await reports.forgetEnded(actor, params.device_id);
    return { status: 204 };
  });
}

/** Server contract 4.6: where no deployment has that name, it may be the value of an attribute of a device. */
async function filterByAttribute(
  reading: DeploymentReading,
  actor: Actor,
  filter: DeploymentFilter,
  query: { readonly id_attribute?: string; readonly id_scope?: string },
  signal: AbortSignal,
): Promise<DeploymentFilter> {
  const { id_attribute: name, id_scope: scope = 'identity' } = query;
  if (scope !== 'identity' && scope !== 'tags') {
    throw new ServerError('badRequest', 'id_scope: must be identity or tags');
  }
  const [value] = filter.names ?? [];
  if (scope === 'tags' && value === undefined && name !== undefined) {
    throw new ServerError('badRequest', 'id_scope tags: give the value as name');
  }
  if (name === undefined || value === undefined) return filter;
  return {
    ...filter,
    names: undefined,
    ids: await reading.idsByAttribute(actor, { scope, name, value }, signal),
  };
}
