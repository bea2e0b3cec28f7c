import { Type, type Static } from 'typebox';
import { bytesBody, defineEndpoint, empty, json } from '../endpoint.ts';
import { Configuration, configurationBody } from '../device/configuration.ts';

const tag = 'device configuration';
const base = '/api/management/v1/deviceconfig/configurations/device/{device_id}';
const params = Type.Object({ device_id: Type.String({ minLength: 1, maxLength: 256 }) });
const writing = { tag, audience: 'user', permission: 'configurations.write', params } as const;

export const DeviceConfiguration = Type.Object({
  id: Type.String({ description: "the device's" }),
  configured: Configuration,
  reported: Configuration,
  deployment_id: Type.Optional(Type.String({ description: 'by which it was last deployed' })),
  updated_ts: Type.String(),
  reported_ts: Type.Optional(Type.String()),
});
export type DeviceConfiguration = Static<typeof DeviceConfiguration>;

export const getDeviceConfiguration = defineEndpoint({
  id: 'getDeviceConfiguration',
  method: 'GET',
  path: base,
  tag,
  audience: 'user',
  permission: 'configurations.read',
  auditAction: null,
  summary: 'What is wanted of the device, and what it has reported',
  params,
  responses: { 200: json(DeviceConfiguration) },
  errors: [400, 401, 403, 404],
});

export const putDeviceConfiguration = defineEndpoint({
  ...writing,
  id: 'putDeviceConfiguration',
  method: 'PUT',
  path: base,
  summary: 'Replace what is wanted of the device; it comes to the device by a deployment',
  auditAction: 'update',
  body: configurationBody,
  responses: { 204: empty },
  errors: [400, 401, 403, 404, 413],
});

export const NewConfigurationDeployment = Type.Object({
  retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
  update_control_map: Type.Optional(Type.Unknown({ description: 'of the commercial edition: refused' })),
});

export const deployDeviceConfiguration = defineEndpoint({
  ...writing,
  id: 'deployDeviceConfiguration',
  method: 'POST',
  path: `${base}/deploy`,
  summary: 'Bring the wanted configuration to the device',
  auditAction: 'deploy',
  body: bytesBody(NewConfigurationDeployment, 1_048_576),
  responses: { 200: json(Type.Object({ deployment_id: Type.String() })) },
  errors: [400, 401, 403, 404, 413],
});
