import { Type, type Static } from 'typebox';
import { defineEndpoint, json, jsonBody } from '../endpoint.ts';
import { pagingQuery } from '../pagination.ts';

/** What the reference has nothing of: who would get what, and when a device did what. */
const reading = {
  tag: 'deployments',
  audience: 'user',
  permission: 'deployments.read',
  auditAction: null,
} as const;
const base = '/api/management/v1/deployments/deployments';

export const StatusReport = Type.Object({
  attempt: Type.Integer({ minimum: 1 }),
  status: Type.String(),
  substate: Type.Optional(Type.String()),
  time: Type.String(),
});
export type StatusReport = Static<typeof StatusReport>;

export const getDeviceDeploymentTimeline = defineEndpoint({
  ...reading,
  id: 'getDeviceDeploymentTimeline',
  method: 'GET',
  path: `${base}/{id}/devices/{device_id}/timeline`,
  summary: 'Every status of the device in the deployment, oldest first; of each attempt the latest hundred',
  params: Type.Object({ id: Type.String(), device_id: Type.String() }),
  responses: { 200: json(Type.Array(StatusReport)) },
  errors: [400, 401, 403, 404],
});

export const getDeploymentFailures = defineEndpoint({
  ...reading,
  id: 'getDeploymentFailures',
  method: 'GET',
  path: `${base}/{id}/failures`,
  summary: 'Why devices failed: how many by the first error of their logs, the fifty most frequent',
  params: Type.Object({ id: Type.String() }),
  responses: {
    200: json(
      Type.Array(
        Type.Object({
          cause: Type.Union([Type.String(), Type.Null()], { description: 'null where no log tells' }),
          devices: Type.Integer(),
          device_id: Type.String({ description: 'one of them' }),
        }),
      ),
    ),
  },
  errors: [400, 401, 403, 404, 503],
});

/** How a device would fare; named as its status in the deployment would be, where there is one. */
const Outcome = Type.Union(
  [
    Type.Literal('installs'),
    Type.Literal('already-installed'),
    Type.Literal('noartifact'),
    Type.Literal('unknown'),
  ],
  { description: 'unknown: the device has not reported its type and artifact yet' },
);

export const PlannedDevice = Type.Object({
  id: Type.String(),
  outcome: Outcome,
  certain: Type.Boolean({ description: 'whether its inventory tells all that the choice depends on' }),
  artifact_id: Type.Optional(Type.String()),
  unmet: Type.Optional(
    Type.Array(
      Type.Object({
        artifact_id: Type.String(),
        key: Type.String(),
        needs: Type.Array(Type.String()),
        has: Type.Union([Type.String(), Type.Null()]),
      }),
      { description: 'why it cannot: the first depends of each artifact that is not met' },
    ),
  ),
});
export type PlannedDevice = Static<typeof PlannedDevice>;

export const DeploymentPlan = Type.Object({
  artifact_name: Type.String(),
  devices_targeted: Type.Integer(),
  summary: Type.Object({
    devices: Type.Integer({ description: 'those that were looked at' }),
    installs: Type.Record(Type.String(), Type.Integer(), { description: 'devices per artifact' }),
    'already-installed': Type.Integer(),
    noartifact: Type.Integer(),
    unknown: Type.Integer(),
  }),
  devices: Type.Array(PlannedDevice, { description: 'the page asked for, by id' }),
});
export type DeploymentPlan = Static<typeof DeploymentPlan>;

export const planDeployment = defineEndpoint({
  ...reading,
  id: 'planDeployment',
  method: 'POST',
  path: `${base}/plan`,
  summary:
    'What a deployment would do to each device by its inventory, chosen as for devices that ask; nothing is begun',
  query: Type.Object(pagingQuery),
  body: jsonBody(
    Type.Object({
      artifact_name: Type.String(),
      devices: Type.Optional(Type.Array(Type.String())),
      all_devices: Type.Optional(Type.Boolean()),
      group: Type.Optional(Type.String({ minLength: 1 })),
      force_installation: Type.Optional(Type.Boolean()),
    }),
  ),
  responses: { 200: json(DeploymentPlan) },
  errors: [400, 401, 403, 413, 415, 422, 503],
});
