import { Type, type Static } from 'typebox';
import { defineEndpoint, empty, json, jsonBody, text } from '../endpoint.ts';
import { pagingQuery } from '../pagination.ts';
import { ArtifactImage } from './artifacts.ts';

const tag = 'deployments';
const reading = { tag, audience: 'user', permission: 'deployments.read', auditAction: null } as const;
const writing = { tag, audience: 'user', permission: 'deployments.write' } as const;
const base = '/api/management/v1/deployments/deployments';
const id = Type.Object({ id: Type.String() });
const deviceId = Type.Object({ device_id: Type.String() });

const count = Type.Integer({ minimum: 0 });

/** Devices per status; all keys always there (server contract 4.4). */
export const DeploymentStatistics = Type.Object({
  failure: count,
  pause_before_installing: count,
  pause_before_committing: count,
  pause_before_rebooting: count,
  downloading: count,
  installing: count,
  rebooting: count,
  pending: count,
  success: count,
  aborted: count,
  noartifact: count,
  'already-installed': count,
  decommissioned: count,
});

export const Deployment = Type.Object({
  id: Type.String(),
  name: Type.String(),
  artifact_name: Type.String(),
  created: Type.String(),
  finished: Type.Optional(Type.String()),
  status: Type.Union([
    Type.Literal('scheduled'),
    Type.Literal('pending'),
    Type.Literal('inprogress'),
    Type.Literal('finished'),
  ]),
  device_count: Type.Integer({ description: 'devices that have asked' }),
  max_devices: Type.Integer({ description: 'devices targeted' }),
  artifacts: Type.Array(Type.String()),
  statistics: Type.Object({ status: DeploymentStatistics, total_size: Type.Integer() }),
  groups: Type.Optional(Type.Array(Type.String())),
  filter: Type.Optional(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      terms: Type.Array(
        Type.Object({
          scope: Type.String(),
          attribute: Type.String(),
          type: Type.String(),
          value: Type.Unknown(),
        }),
      ),
    }),
  ),
  type: Type.Union([Type.Literal('software'), Type.Literal('configuration')]),
  force_installation: Type.Optional(Type.Boolean()),
  configuration: Type.Optional(
    Type.String({ description: 'Base64 of the configuration as JSON, its values cut short' }),
  ),
});
export type Deployment = Static<typeof Deployment>;

export const DeviceDeployment = Type.Object({
  id: Type.String({ description: "the device's" }),
  created: Type.String({ description: "the deployment's" }),
  started: Type.Optional(Type.String()),
  finished: Type.Optional(Type.String()),
  deleted: Type.Optional(Type.String()),
  status: Type.String(),
  substate: Type.Optional(Type.String()),
  image: Type.Optional(ArtifactImage),
  log: Type.Boolean(),
});
export type DeviceDeployment = Static<typeof DeviceDeployment>;

// Checked by the rules, which have the reference's own words for each fault; further fields of other editions are ignored.
export const NewDeployment = Type.Object({
  name: Type.Optional(Type.String()),
  artifact_name: Type.Optional(Type.String()),
  devices: Type.Optional(Type.Union([Type.Null(), Type.Array(Type.String())])),
  all_devices: Type.Optional(Type.Boolean()),
  force_installation: Type.Optional(Type.Boolean()),
});
export type NewDeployment = Static<typeof NewDeployment>;

const createdAnswer = { responses: { 201: empty }, auditAction: 'create' } as const;

export const createDeployment = defineEndpoint({
  ...writing,
  ...createdAnswer,
  id: 'createDeployment',
  method: 'POST',
  path: base,
  summary: 'Deploy a release to the devices named, or to all accepted ones',
  body: jsonBody(NewDeployment),
  errors: [400, 401, 403, 409, 413, 415, 422],
});

export const createGroupDeployment = defineEndpoint({
  ...writing,
  ...createdAnswer,
  id: 'createGroupDeployment',
  method: 'POST',
  path: `${base}/group/{name}`,
  summary: 'Deploy a release to the accepted devices that are in a group now',
  params: Type.Object({ name: Type.String() }),
  body: jsonBody(NewDeployment),
  errors: [400, 401, 403, 409, 413, 415, 422],
});

const listFilters = {
  status: Type.Optional(
    Type.String({ description: 'pending, inprogress, finished or aborted (as finished)' }),
  ),
  type: Type.Optional(Type.String({ description: 'software or configuration' })),
  created_after: Type.Optional(Type.String({ description: 'seconds since 1970, included' })),
  created_before: Type.Optional(Type.String({ description: 'seconds since 1970, included' })),
  sort: Type.Optional(Type.String({ description: 'asc or desc (default), by creation' })),
};

export const listDeployments = defineEndpoint({
  ...reading,
  id: 'listDeployments',
  method: 'GET',
  path: base,
  summary: 'Deployments, by pages',
  query: Type.Object({ ...listFilters, search: Type.Optional(Type.String()), ...pagingQuery }),
  responses: { 200: json(Type.Array(Deployment)) },
  errors: [400, 401, 403, 503],
});

export const listDeploymentsV2 = defineEndpoint({
  ...reading,
  id: 'listDeploymentsV2',
  method: 'GET',
  path: '/api/management/v2/deployments/deployments',
  summary: 'Deployments by name, id, or the identity of a device they are for',
  query: Type.Object({
    ...listFilters,
    name: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
    id: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
    id_attribute: Type.Optional(Type.String()),
    id_scope: Type.Optional(Type.String()),
    ...pagingQuery,
  }),
  responses: { 200: json(Type.Array(Deployment)) },
  errors: [400, 401, 403, 503],
});

export const getDeployment = defineEndpoint({
  ...reading,
  id: 'getDeployment',
  method: 'GET',
  path: `${base}/{id}`,
  summary: 'One deployment',
  params: id,
  responses: { 200: json(Deployment) },
  errors: [400, 401, 403, 404],
});

export const abortDeployment = defineEndpoint({
  ...writing,
  id: 'abortDeployment',
  method: 'PUT',
  path: `${base}/{id}/status`,
  summary: 'Abort: devices learn of it by their next report',
  auditAction: 'abort',
  params: id,
  body: jsonBody(Type.Object({ status: Type.String() })),
  responses: { 204: empty },
  errors: [400, 401, 403, 413, 415, 422],
});

export const getDeploymentStatistics = defineEndpoint({
  ...reading,
  id: 'getDeploymentStatistics',
  method: 'GET',
  path: `${base}/{id}/statistics`,
  summary: 'Devices per status',
  params: id,
  responses: { 200: json(DeploymentStatistics) },
  errors: [400, 401, 403, 404],
});

export const listDeploymentStatistics = defineEndpoint({
  ...reading,
  id: 'listDeploymentStatistics',
  method: 'POST',
  path: `${base}/statistics/list`,
  summary: 'Devices per status of several deployments; an empty object for none',
  body: jsonBody(
    Type.Object({ deployment_ids: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })) }),
  ),
  responses: {
    200: json(
      Type.Union([
        Type.Array(Type.Object({ id: Type.String(), stats: DeploymentStatistics })),
        Type.Object({}),
      ]),
    ),
  },
  errors: [400, 401, 403, 404, 413, 415, 503],
});

export const getDeploymentDevices = defineEndpoint({
  ...reading,
  id: 'getDeploymentDevices',
  method: 'GET',
  path: `${base}/{id}/devices`,
  summary: 'Every device that has asked, and how far it has come',
  params: id,
  responses: { 200: json(Type.Array(DeviceDeployment)) },
  errors: [400, 401, 403, 404, 503],
});

export const listDeploymentDevices = defineEndpoint({
  ...reading,
  id: 'listDeploymentDevices',
  method: 'GET',
  path: `${base}/{id}/devices/list`,
  summary: 'Devices that have asked, by pages',
  params: id,
  query: Type.Object({
    status: Type.Optional(Type.String({ description: 'a status, or pause, active, finished' })),
    ...pagingQuery,
  }),
  responses: { 200: json(Type.Array(DeviceDeployment)) },
  errors: [400, 401, 403, 404, 503],
});

export const getDeploymentTargets = defineEndpoint({
  ...reading,
  id: 'getDeploymentTargets',
  method: 'GET',
  path: `${base}/{id}/device_list`,
  summary: 'Ids of the devices it is for',
  params: id,
  responses: { 200: json(Type.Array(Type.String())) },
  errors: [400, 401, 403, 404, 503],
});

export const getDeviceDeploymentLog = defineEndpoint({
  ...reading,
  id: 'getDeviceDeploymentLog',
  method: 'GET',
  path: `${base}/{id}/devices/{device_id}/log`,
  summary: 'What the device logged, one message a line',
  params: Type.Object({ id: Type.String(), device_id: Type.String() }),
  responses: { 200: text('text/plain') },
  errors: [400, 401, 403, 404],
});

/** A device's history has smaller pages than other lists (server contract 4.6). */
export const maxHistoryPerPage = 20;

export const listDeviceHistory = defineEndpoint({
  ...reading,
  id: 'listDeviceHistory',
  method: 'GET',
  path: `${base}/devices/{device_id}`,
  summary: 'The deployments a device has taken part in, newest first',
  params: deviceId,
  query: Type.Object({
    ...pagingQuery,
    per_page: Type.Optional(
      Type.Integer({ minimum: 1, maximum: maxHistoryPerPage, default: maxHistoryPerPage }),
    ),
    status: Type.Optional(Type.String()),
  }),
  responses: {
    200: json(
      Type.Array(
        Type.Object({
          id: Type.String(),
          deployment: Type.Optional(Deployment),
          device: DeviceDeployment,
        }),
      ),
    ),
  },
  errors: [400, 401, 403, 503],
});

export const abortDeviceDeployments = defineEndpoint({
  ...writing,
  id: 'abortDeviceDeployments',
  method: 'DELETE',
  path: `${base}/devices/{device_id}`,
  summary: 'Abort what the device is doing, and the deployment that would be next',
  auditAction: 'abort',
  params: deviceId,
  responses: { 204: empty },
  errors: [401, 403],
});

export const clearDeviceHistory = defineEndpoint({
  ...writing,
  id: 'clearDeviceHistory',
  method: 'DELETE',
  path: `${base}/devices/{device_id}/history`,
  summary: 'Forget what the device has ended, so that it may be offered it again',
  auditAction: 'delete',
  params: deviceId,
  responses: { 204: empty },
  errors: [401, 403],
});
