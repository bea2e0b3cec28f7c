import { Type, type Static } from 'typebox';
import { bytesBody, defineEndpoint, download, empty, json } from '../endpoint.ts';

const device = {
  tag: 'device configuration',
  audience: 'device',
  permission: null,
  auditAction: null,
} as const;
const path = '/api/devices/v1/deviceconfig/configuration';

/** A device's configuration (server contract 6): what its scripts know by name. */
export const Configuration = Type.Record(Type.String(), Type.String({ maxLength: 4096 }), {
  description: 'at most 100 keys of at most 4096 bytes; values are texts of at most 4096 bytes',
});
export type Configuration = Static<typeof Configuration>;

/** Bound of the body, in bytes; the content type is not looked at. */
const maxConfigurationBytes = 1_048_576;
/** Checked by the rules, in the reference's words. */
export const configurationBody = bytesBody(Configuration, maxConfigurationBytes);

export const getOwnConfiguration = defineEndpoint({
  ...device,
  id: 'getOwnConfiguration',
  method: 'GET',
  path,
  summary: 'The configuration that is wanted of the device',
  responses: { 200: json(Configuration) },
  errors: [400, 401, 404],
});

export const reportConfiguration = defineEndpoint({
  ...device,
  id: 'reportConfiguration',
  method: 'PUT',
  path,
  summary: 'The configuration the device has; replaces what it reported before',
  body: configurationBody,
  responses: { 204: empty },
  errors: [400, 401, 413],
});

/** The link itself is the permission. */
export const downloadConfiguration = defineEndpoint({
  ...device,
  id: 'downloadConfiguration',
  method: 'GET',
  path: '/api/devices/v1/deployments/download/configuration/{deployment_id}/{device_type}/{device_id}',
  audience: 'none',
  summary: 'The artifact of a configuration deployment, by a signed link',
  params: Type.Object({
    deployment_id: Type.String(),
    device_type: Type.String(),
    device_id: Type.String(),
  }),
  query: Type.Object({
    'x-men-expire': Type.Optional(Type.String()),
    'x-men-signature': Type.Optional(Type.String()),
    tenant_id: Type.Optional(Type.String()),
  }),
  responses: { 200: download('application/vnd.mender-artifact') },
  errors: [400, 403, 404],
});
