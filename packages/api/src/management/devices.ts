import { Type, type Static } from 'typebox';
import { bytesBody, defineEndpoint, empty, json, jsonBody } from '../endpoint.ts';
import { pagingQuery } from '../pagination.ts';

const base = '/api/management/v2/devauth';
const tag = 'management: device authentication';
const reading = { tag, audience: 'user', permission: 'devices.read', auditAction: null } as const;
const writing = { tag, audience: 'user', permission: 'devices.write' } as const;

const IdentityData = Type.Record(Type.String(), Type.Unknown());

export const AuthSet = Type.Object({
  id: Type.String(),
  identity_data: IdentityData,
  pubkey: Type.String(),
  ts: Type.String(),
  status: Type.String(),
});
export type AuthSet = Static<typeof AuthSet>;

export const Device = Type.Object({
  id: Type.String(),
  identity_data: IdentityData,
  status: Type.String(),
  decommissioning: Type.Boolean(),
  created_ts: Type.String(),
  updated_ts: Type.String(),
  check_in_time: Type.Optional(Type.String()),
  auth_sets: Type.Union([Type.Array(AuthSet), Type.Null()]),
});
export type Device = Static<typeof Device>;

const deviceId = Type.Object({ id: Type.String({ minLength: 1 }) });
const authSetId = Type.Object({ id: Type.String({ minLength: 1 }), aid: Type.String({ minLength: 1 }) });

export const listDevices = defineEndpoint({
  ...reading,
  id: 'listDevices',
  method: 'GET',
  path: `${base}/devices`,
  summary: 'Devices with their auth sets, sorted by status and id',
  query: Type.Object({
    status: Type.Optional(Type.Array(Type.String())),
    id: Type.Optional(Type.Array(Type.String())),
    ...pagingQuery,
  }),
  responses: { 200: json(Type.Array(Device)) },
  errors: [400, 401, 503],
});

const OneOrMore = Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 10_000 })]);
export const DeviceSearch = Type.Object({ status: Type.Optional(OneOrMore), id: Type.Optional(OneOrMore) });

export const searchDevices = defineEndpoint({
  ...reading,
  id: 'searchDevices',
  method: 'POST',
  path: `${base}/devices/search`,
  summary: 'The same list, asked for by a JSON or form-encoded body',
  query: Type.Object(pagingQuery),
  body: bytesBody(DeviceSearch, 1_048_576),
  responses: { 200: json(Type.Array(Device)) },
  errors: [400, 401, 413, 415, 503],
});

export const countDevices = defineEndpoint({
  ...reading,
  id: 'countDevices',
  method: 'GET',
  path: `${base}/devices/count`,
  summary: 'How many devices there are, of one status or of all',
  query: Type.Object({ status: Type.Optional(Type.String()) }),
  responses: { 200: json(Type.Object({ count: Type.Integer() })) },
  errors: [400, 401, 503],
});

export const getDevice = defineEndpoint({
  ...reading,
  id: 'getDevice',
  method: 'GET',
  path: `${base}/devices/{id}`,
  summary: 'One device with its auth sets',
  params: deviceId,
  responses: { 200: json(Device) },
  errors: [401, 404],
});

export const preauthorizeDevice = defineEndpoint({
  ...writing,
  auditAction: 'device.preauthorize',
  id: 'preauthorizeDevice',
  method: 'POST',
  path: `${base}/devices`,
  summary: 'Accept a device before it is seen; 409 answers with the device that is there already',
  body: jsonBody(
    Type.Object({
      identity_data: IdentityData,
      pubkey: Type.String({ minLength: 1 }),
      force: Type.Optional(Type.Boolean()),
    }),
  ),
  responses: { 201: empty, 409: json(Device) },
  errors: [400, 401, 403, 415],
});

export const decommissionDevice = defineEndpoint({
  ...writing,
  auditAction: 'device.decommission',
  id: 'decommissionDevice',
  method: 'DELETE',
  path: `${base}/devices/{id}`,
  summary: 'Forget a device: its auth sets, tokens, inventory and place in deployments',
  params: deviceId,
  responses: { 204: empty },
  errors: [401, 404],
});

export const getAuthSetStatus = defineEndpoint({
  ...reading,
  id: 'getAuthSetStatus',
  method: 'GET',
  path: `${base}/devices/{id}/auth/{aid}/status`,
  summary: 'The status of one auth set',
  params: authSetId,
  responses: { 200: json(Type.Object({ status: Type.String() })) },
  errors: [401, 404],
});

export const setAuthSetStatus = defineEndpoint({
  ...writing,
  auditAction: 'device.set-status',
  id: 'setAuthSetStatus',
  method: 'PUT',
  path: `${base}/devices/{id}/auth/{aid}/status`,
  summary: 'Accept or reject a device, or make it pending again',
  params: authSetId,
  body: jsonBody(Type.Object({ status: Type.String() })),
  responses: { 204: empty },
  errors: [400, 401, 404, 415, 422],
});

export const deleteAuthSet = defineEndpoint({
  ...writing,
  auditAction: 'device.dismiss',
  id: 'deleteAuthSet',
  method: 'DELETE',
  path: `${base}/devices/{id}/auth/{aid}`,
  summary: 'Dismiss one auth set',
  params: authSetId,
  responses: { 204: empty },
  errors: [401, 404],
});

export const revokeDeviceToken = defineEndpoint({
  ...writing,
  auditAction: 'device.revoke-token',
  id: 'revokeDeviceToken',
  method: 'DELETE',
  path: `${base}/tokens/{id}`,
  summary: 'Revoke the token of an auth set',
  params: Type.Object({ id: Type.String({ minLength: 1 }) }),
  responses: { 204: empty },
  errors: [401, 404],
});

export const getDeviceLimit = defineEndpoint({
  ...reading,
  id: 'getDeviceLimit',
  method: 'GET',
  path: `${base}/limits/{name}`,
  summary: 'How many devices may be accepted (max_devices); -1 is any number',
  params: Type.Object({ name: Type.String() }),
  responses: { 200: json(Type.Object({ limit: Type.Integer() })) },
  errors: [400, 401],
});
