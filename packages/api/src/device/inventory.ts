import { Type, type Static } from 'typebox';
import { defineEndpoint, empty, jsonBody } from '../endpoint.ts';

/** Elements of one array: each becomes a row that can be searched. */
const maxElements = 1000;

export const AttributeValue = Type.Union([
  Type.String(),
  Type.Number(),
  Type.Array(Type.String(), { maxItems: maxElements }),
  Type.Array(Type.Number(), { maxItems: maxElements }),
]);
export type AttributeValue = Static<typeof AttributeValue>;

/** An attribute as it is written: the scope is settled by the endpoint, a time is not taken from outside. */
export const NewAttribute = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 1024 }),
  value: AttributeValue,
  description: Type.Optional(Type.String({ maxLength: 4096 })),
});
export type NewAttribute = Static<typeof NewAttribute>;

const reporting = {
  path: '/api/devices/v1/inventory/device/attributes',
  // The reference's gateway sends everything below this prefix to the one route.
  aliases: ['/api/devices/v1/inventory/*', '/api/0.1.0/attributes'],
  tag: 'device: inventory',
  audience: 'device',
  permission: null,
  auditAction: null,
  body: jsonBody(Type.Array(NewAttribute)),
  responses: { 200: empty },
  errors: [400, 401, 413, 415],
} as const;

export const replaceDeviceAttributes = defineEndpoint({
  ...reporting,
  id: 'replaceDeviceAttributes',
  method: 'PUT',
  summary: 'Report all attributes; those not named are removed',
});

export const updateDeviceAttributes = defineEndpoint({
  ...reporting,
  id: 'updateDeviceAttributes',
  method: 'PATCH',
  summary: 'Report some attributes; the others stay',
});
