import {
  AuthRequest,
  authenticateDevice,
  checker,
  countDevices,
  decommissionDevice,
  deleteAuthSet,
  DeviceSearch,
  getAuthSetStatus,
  getDevice,
  getDeviceLimit,
  listDevices,
  pageOf,
  preauthorizeDevice,
  revokeDeviceToken,
  searchDevices,
  setAuthSetStatus,
  type Device,
} from '@tandem/api';
import type { Tenant } from '../actor.ts';
import { rfc3339 } from '../clock.ts';
import { cutPage, pagingHeaders } from '../http/paging-headers.ts';
import { readJson } from '../http/read-json.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import type { CheckInTimes } from './check-in-times.ts';
import type { DeviceAuth, DeviceWithSets } from './device-auth.ts';
import { deviceStatuses, transitions, type Target } from './device-status.ts';
import { identityData, readIdentityData } from './identity-data.ts';
import { isSignedBy, readPublicKey } from './request-signature.ts';

export interface DeviceAuthRouteNeeds {
  readonly deviceAuth: DeviceAuth;
  readonly checkIns: CheckInTimes;
  /** Whose device it is, by the token of the tenant it may carry. */
  readonly tenantOfDevice: (tenantToken: string | undefined) => Tenant;
}

/** Server contract 2.1 and 2.5. */
export function registerDeviceAuthRoutes(register: RegisterRoute, needs: DeviceAuthRouteNeeds): void {
  const { deviceAuth, checkIns } = needs;
  const view = (found: DeviceWithSets): Device =>
    deviceView(found, checkIns.pending(found.device.tenant, found.device.id));

  register(authenticateDevice, async ({ body, headers }) => {
    const request = readAuthRequest(body);
    const identity = readIdentityData(request.id_data);
    const key = readPublicKey(request.pubkey);
    const signature = headers['x-men-signature'];
    if (typeof signature !== 'string' || signature === '') {
      throw new ServerError('badRequest', 'missing request signature header');
    }
    if (!isSignedBy(key, body, signature))
      throw new ServerError('unauthorized', 'signature verification failed');
    const answer = await deviceAuth.authenticate(
      needs.tenantOfDevice(request.tenant_token),
      identity,
      key.pem,
    );
    if (answer === 'unauthorized') throw new ServerError('unauthorized', 'dev auth: unauthorized');
    if (answer === 'limitReached') throw new ServerError('unauthorized', 'unauthorized');
    return { status: 200, body: answer.token };
  });

  register(listDevices, async ({ actor, query, url, signal }) => {
    const statuses = query.status ?? [];
    if (!statuses.every(isDeviceStatus)) {
      throw new ServerError(
        'badRequest',
        'filter status must be one of: accepted, pending, rejected, preauthorized or noauth',
      );
    }
    const page = pageOf(query);
    const { rows, hasMore } = cutPage(
      await deviceAuth.list(actor, { statuses, ids: query.id ?? [] }, page, signal),
      page,
    );
    return { status: 200, headers: pagingHeaders(url, page, { hasMore }), body: rows.map(view) };
  });

  register(searchDevices, async ({ actor, query, url, body, headers, signal }) => {
    const page = pageOf(query);
    const filter = readDeviceSearch(body, headers['content-type']);
    const found = await deviceAuth.list(actor, filter, page, signal);
    const { rows, hasMore } = cutPage(found, page);
    return { status: 200, headers: pagingHeaders(url, page, { hasMore }), body: rows.map(view) };
  });

  register(countDevices, async ({ actor, query: { status }, signal }) => {
    if (status !== undefined && status !== '' && !isDeviceStatus(status)) {
      throw new ServerError(
        'badRequest',
        'status must be one of: pending, accepted, rejected, preauthorized, noauth',
      );
    }
    const count = await deviceAuth.count(actor, { statuses: status ? [status] : [], ids: [] }, signal);
    return { status: 200, body: { count } };
  });

  register(getDevice, async ({ actor, params }) => {
    const found = await deviceAuth.get(actor, params.id);
    if (found === undefined) throw new ServerError('notFound', 'device not found');
    return { status: 200, body: view(found) };
  });

  register(preauthorizeDevice, async ({ actor, body }) => {
    const identity = identityData(body.identity_data);
    const outcome = await deviceAuth.preauthorize(
      actor,
      identity,
      readPublicKey(body.pubkey).pem,
      body.force ?? false,
    );
    if ('existing' in outcome) return { status: 409, body: view(outcome.existing) };
    return { status: 201, headers: { location: `devices/${outcome.created}` } };
  });

  register(decommissionDevice, async ({ actor, params }) => {
    if (!(await deviceAuth.decommission(actor, params.id))) throw nothingThere('device');
    return { status: 204 };
  });

  register(getAuthSetStatus, async ({ actor, params }) => {
    const status = await deviceAuth.authSetStatus(actor, params.aid);
    if (status === undefined) throw new ServerError('notFound', 'authorization set not found');
    return { status: 200, body: { status } };
  });

  register(setAuthSetStatus, async ({ actor, params, body }) => {
    if (!isTarget(body.status)) throw new ServerError('badRequest', 'incorrect device status');
    await deviceAuth.setAuthSetStatus(actor, params.id, params.aid, body.status);
    return { status: 204 };
  });

  register(deleteAuthSet, async ({ actor, params }) => {
    if (!(await deviceAuth.dismiss(actor, params.id, params.aid))) throw nothingThere('authorization set');
    return { status: 204 };
  });

  register(revokeDeviceToken, async ({ actor, params }) => {
    if (!(await deviceAuth.revokeToken(actor, params.id))) throw nothingThere('token');
    return { status: 204 };
  });

  register(getDeviceLimit, async ({ actor, params }) => {
    if (params.name !== 'max_devices')
      throw new ServerError('badRequest', `unsupported limit ${params.name}`);
    return { status: 200, body: { limit: await deviceAuth.limit(actor) } };
  });
}

const isDeviceStatus = (status: string): boolean => deviceStatuses.some((known) => known === status);
const isTarget = (status: string): status is Target => Object.hasOwn(transitions, status);

// The reference answers these with a status and nothing else.
const nothingThere = (what: string) => new ServerError('notFound', `${what} not found`, { emptyBody: true });

const authRequest = checker(AuthRequest);

/** In the reference's order and words: what is missing is named before what is wrong. */
function readAuthRequest(body: Buffer): AuthRequest {
  let value: unknown;
  try {
    value = readJson(body);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ServerError('badRequest', `failed to decode auth request: ${reason}`, { cause });
  }
  if (typeof value !== 'object' || value === null) {
    throw new ServerError('badRequest', 'failed to decode auth request: not a JSON object');
  }
  for (const field of ['id_data', 'pubkey'] as const) {
    if (!(field in value) || value[field as keyof typeof value] === '') {
      throw new ServerError('badRequest', `invalid auth request: ${field} must be provided`);
    }
  }
  if (!authRequest.accepts(value)) {
    throw new ServerError(
      'badRequest',
      `failed to decode auth request: ${authRequest.faults(value).join('; ')}`,
    );
  }
  return value as AuthRequest;
}

const deviceSearch = checker(DeviceSearch);

/** The search's body is JSON, or a form as browsers send it. */
function readDeviceSearch(
  body: Buffer,
  contentType = 'application/json',
): { statuses: string[]; ids: string[] } {
  const mediaType = contentType.split(';')[0]?.trim().toLowerCase();
  if (mediaType === 'application/x-www-form-urlencoded') {
    const form = new URLSearchParams(body.toString());
    return { statuses: form.getAll('status'), ids: form.getAll('id') };
  }
  if (mediaType !== 'application/json') {
    throw new ServerError('unsupportedMediaType', "Bad Content-Type, expected 'application/json'");
  }
  const value = readJson(body);
  if (value === undefined) throw new ServerError('badRequest', 'api: malformed request body: EOF');
  if (!deviceSearch.accepts(value)) {
    throw new ServerError(
      'badRequest',
      `api: malformed request body: ${deviceSearch.faults(value).join('; ')}`,
    );
  }
  const { status = [], id = [] } = value as { status?: string | string[]; id?: string | string[] };
  return { statuses: [status].flat(), ids: [id].flat() };
}

/** The device as the API shows it (server contract 2.5). */
function deviceView({ device, sets, checkIn }: DeviceWithSets, pending: number | undefined): Device {
  const checkInTime = pending ?? checkIn;
  const identity_data = JSON.parse(device.id_data) as Record<string, unknown>;
  return {
    id: device.id,
    identity_data,
    status: device.status,
    decommissioning: device.decommissioning === 1,
    created_ts: rfc3339(device.created),
    updated_ts: rfc3339(device.updated),
    ...(checkInTime === undefined ? {} : { check_in_time: rfc3339(checkInTime) }),
    auth_sets: sets.map(({ id, pubkey, status, created }) => ({
      id,
      identity_data,
      pubkey,
      ts: rfc3339(created),
      status,
    })),
  };
}
