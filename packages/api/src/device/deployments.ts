import { Type, type Static } from 'typebox';
import { defineEndpoint, download, empty, json, jsonBody } from '../endpoint.ts';

const tag = 'deployments';
const device = { tag, audience: 'device', permission: null, auditAction: null } as const;
const base = '/api/devices/v1/deployments/device/deployments';

/** What a device says it has: at least its type and the artifact it runs (server contract 4.8). */
const reported = Type.String({ minLength: 1, maxLength: 4096 });

export const DeploymentInstructions = Type.Object({
  id: Type.String(),
  artifact: Type.Object({
    id: Type.String(),
    artifact_name: Type.String(),
    source: Type.Object({ uri: Type.String(), expire: Type.String(), method: Type.Literal('GET') }),
    device_types_compatible: Type.Array(Type.String()),
  }),
});
export type DeploymentInstructions = Static<typeof DeploymentInstructions>;

const nextAnswers = { 200: json(DeploymentInstructions), 204: empty } as const;

export const getNextDeployment = defineEndpoint({
  ...device,
  id: 'getNextDeployment',
  method: 'GET',
  path: `${base}/next`,
  summary: 'What to install, if anything; asked with artifact name and device type alone',
  query: Type.Object({ artifact_name: reported, device_type: reported }),
  responses: nextAnswers,
  errors: [400, 401, 409],
});

/** Clients of version 3 put what they provide beside the two required fields; the documentation puts it into a map. */
export const postNextDeployment = defineEndpoint({
  ...device,
  id: 'postNextDeployment',
  method: 'POST',
  path: `${base}/next`,
  summary: 'What to install, if anything; flat body',
  body: jsonBody(
    Type.Object(
      {
        artifact_name: reported,
        device_type: reported,
        artifact_provides: Type.Optional(Type.Record(Type.String(), Type.String())),
      },
      { additionalProperties: Type.Unknown() },
    ),
  ),
  responses: nextAnswers,
  errors: [400, 401, 409, 413, 415],
});

export const postNextDeploymentV2 = defineEndpoint({
  ...device,
  id: 'postNextDeploymentV2',
  method: 'POST',
  path: '/api/devices/v2/deployments/device/deployments/next',
  summary:
    'What to install, if anything, chosen by all that the device provides; 404 where it is switched off',
  body: jsonBody(
    Type.Object({
      device_provides: Type.Object(
        { artifact_name: reported, device_type: reported },
        { additionalProperties: Type.String({ maxLength: 4096 }) },
      ),
    }),
  ),
  responses: nextAnswers,
  errors: [400, 401, 404, 409, 413, 415],
});

export const putDeviceDeploymentStatus = defineEndpoint({
  ...device,
  id: 'putDeviceDeploymentStatus',
  method: 'PUT',
  path: `${base}/{id}/status`,
  summary: 'How far the device has come',
  params: Type.Object({ id: Type.String() }),
  body: jsonBody(
    Type.Object({
      status: Type.Union([
        Type.Literal('downloading'),
        Type.Literal('installing'),
        Type.Literal('rebooting'),
        Type.Literal('success'),
        Type.Literal('failure'),
        Type.Literal('already-installed'),
        Type.Literal('pause_before_installing'),
        Type.Literal('pause_before_committing'),
        Type.Literal('pause_before_rebooting'),
      ]),
      substate: Type.Optional(Type.String({ maxLength: 200 })),
    }),
  ),
  responses: { 204: empty },
  errors: [400, 401, 404, 409, 413, 415],
});

export const LogMessage = Type.Object({
  timestamp: Type.String({
    pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})$',
  }),
  level: Type.String({ minLength: 1 }),
  message: Type.String({ minLength: 1 }),
});
export type LogMessage = Static<typeof LogMessage>;

export const putDeviceDeploymentLog = defineEndpoint({
  ...device,
  id: 'putDeviceDeploymentLog',
  method: 'PUT',
  path: `${base}/{id}/log`,
  summary: 'The log of a failed deployment; replaces an earlier one',
  params: Type.Object({ id: Type.String() }),
  body: jsonBody(Type.Object({ messages: Type.Array(LogMessage, { minItems: 1 }) })),
  responses: { 204: empty },
  errors: [400, 401, 404, 413, 415],
});

/** The link itself is the permission; the gateway of the reference serves its bucket under such a path, too. */
export const downloadArtifact = defineEndpoint({
  id: 'downloadArtifact',
  method: 'GET',
  path: '/storage/{tenant}/{artifact}',
  tag,
  summary: 'The bytes of an artifact, by a signed link; Range and HEAD are honoured',
  audience: 'none',
  permission: null,
  auditAction: null,
  params: Type.Object({ tenant: Type.String(), artifact: Type.String() }),
  query: Type.Object({
    device: Type.Optional(Type.String()),
    expire: Type.Optional(Type.String()),
    signature: Type.Optional(Type.String()),
  }),
  responses: {
    200: download('application/vnd.mender-artifact'),
    206: download('application/vnd.mender-artifact'),
  },
  errors: [400, 403, 404, 416],
});
