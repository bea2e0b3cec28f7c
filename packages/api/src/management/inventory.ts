import { Type, type Static } from 'typebox';
import { AttributeValue, NewAttribute } from '../device/inventory.ts';
import { defineEndpoint, empty, json, jsonBody } from '../endpoint.ts';
import { pagingQuery } from '../pagination.ts';

const base = '/api/management/v1/inventory';
const tag = 'management: inventory';
const reading = { tag, audience: 'user', permission: 'inventory.read', auditAction: null } as const;
const writing = { tag, audience: 'user', permission: 'inventory.write' } as const;

/** Each path, and the same under the prefix of old clients. */
const at = <const P extends string>(path: P) =>
  ({ path: `${base}${path}`, aliases: [`/api/0.1.0${path}`] }) as const;

export const Attribute = Type.Object({
  name: Type.String(),
  scope: Type.String(),
  value: AttributeValue,
  description: Type.Optional(Type.String()),
  timestamp: Type.Optional(Type.String()),
});
export type Attribute = Static<typeof Attribute>;

export const InventoryDevice = Type.Object({
  id: Type.String(),
  attributes: Type.Array(Attribute),
  updated_ts: Type.Optional(Type.String()),
});
export type InventoryDevice = Static<typeof InventoryDevice>;

const deviceId = Type.Object({ id: Type.String({ minLength: 1 }) });
const groupName = Type.Object({ name: Type.String({ minLength: 1, maxLength: 1024 }) });
const deviceIds = Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), { maxItems: 10_000 });
/** Zero counts are left out. */
const Counts = Type.Object({
  matched_count: Type.Optional(Type.Integer()),
  updated_count: Type.Optional(Type.Integer()),
});

export const listInventory = defineEndpoint({
  ...reading,
  ...at('/devices'),
  id: 'listInventory',
  method: 'GET',
  summary: 'Devices of every status; any further key filters: [scope/]attribute=[eq:]value',
  query: Type.Object(
    {
      ...pagingQuery,
      sort: Type.Optional(Type.String()),
      has_group: Type.Optional(Type.Boolean()),
      group: Type.Optional(Type.String()),
    },
    { additionalProperties: Type.Array(Type.String()) },
  ),
  responses: { 200: json(Type.Array(InventoryDevice)) },
  errors: [400, 401, 503],
});

export const getInventory = defineEndpoint({
  ...reading,
  ...at('/devices/{id}'),
  id: 'getInventory',
  method: 'GET',
  summary: 'All attributes of a device; ETag once tags were set',
  params: deviceId,
  responses: { 200: json(InventoryDevice) },
  errors: [401, 404],
});

export const clearInventory = defineEndpoint({
  ...writing,
  ...at('/devices/{id}'),
  id: 'clearInventory',
  method: 'DELETE',
  auditAction: 'inventory.clear',
  summary: 'Remove what the device reported; tags and group stay',
  params: deviceId,
  responses: { 204: empty },
  errors: [401],
});

const tagging = {
  ...writing,
  ...at('/devices/{id}/tags'),
  params: deviceId,
  body: jsonBody(Type.Array(NewAttribute)),
  responses: { 200: empty },
  errors: [400, 401, 412, 415],
} as const;

export const replaceTags = defineEndpoint({
  ...tagging,
  id: 'replaceTags',
  method: 'PUT',
  auditAction: 'inventory.replace-tags',
  summary: 'Replace all tags of a device',
});

export const updateTags = defineEndpoint({
  ...tagging,
  id: 'updateTags',
  method: 'PATCH',
  auditAction: 'inventory.update-tags',
  summary: 'Set some tags of a device',
});

export const getDeviceGroup = defineEndpoint({
  ...reading,
  ...at('/devices/{id}/group'),
  id: 'getDeviceGroup',
  method: 'GET',
  summary: 'The static group of a device, or null',
  params: deviceId,
  responses: { 200: json(Type.Object({ group: Type.Union([Type.String(), Type.Null()]) })) },
  errors: [401, 404],
});

export const setDeviceGroup = defineEndpoint({
  ...writing,
  ...at('/devices/{id}/group'),
  id: 'setDeviceGroup',
  method: 'PUT',
  auditAction: 'group.add-device',
  summary: 'Put a device into a static group, out of the one it was in',
  params: deviceId,
  body: jsonBody(Type.Object({ group: Type.String() })),
  responses: { 204: empty },
  errors: [400, 401, 404, 415],
});

export const leaveDeviceGroup = defineEndpoint({
  ...writing,
  ...at('/devices/{id}/group/{name}'),
  id: 'leaveDeviceGroup',
  method: 'DELETE',
  auditAction: 'group.remove-device',
  summary: 'Take a device out of its static group',
  params: Type.Object({ ...deviceId.properties, ...groupName.properties }),
  responses: { 204: empty },
  errors: [401, 404],
});

export const listGroups = defineEndpoint({
  ...reading,
  ...at('/groups'),
  id: 'listGroups',
  method: 'GET',
  summary: 'Names of the static groups',
  query: Type.Object({ status: Type.Optional(Type.String()) }),
  responses: { 200: json(Type.Array(Type.String())) },
  errors: [400, 401, 503],
});

export const listGroupDevices = defineEndpoint({
  ...reading,
  ...at('/groups/{name}/devices'),
  id: 'listGroupDevices',
  method: 'GET',
  summary: 'Ids of the devices in a static group',
  params: groupName,
  query: Type.Object(pagingQuery),
  responses: { 200: json(Type.Array(Type.String())) },
  errors: [400, 401, 404, 503],
});

const changingGroup = {
  ...writing,
  ...at('/groups/{name}/devices'),
  params: groupName,
  body: jsonBody(deviceIds),
  responses: { 200: json(Counts) },
  errors: [400, 401, 415],
} as const;

export const addGroupDevices = defineEndpoint({
  ...changingGroup,
  id: 'addGroupDevices',
  method: 'PATCH',
  auditAction: 'group.add-devices',
  summary: 'Put devices into a static group',
});

export const removeGroupDevices = defineEndpoint({
  ...changingGroup,
  id: 'removeGroupDevices',
  method: 'DELETE',
  auditAction: 'group.remove-devices',
  summary: 'Take devices out of a static group',
});

export const dissolveGroup = defineEndpoint({
  ...writing,
  ...at('/groups/{name}'),
  id: 'dissolveGroup',
  method: 'DELETE',
  auditAction: 'group.dissolve',
  summary: 'Take all devices out of a static group, which ends it',
  params: groupName,
  responses: { 200: json(Counts) },
  errors: [400, 401],
});
