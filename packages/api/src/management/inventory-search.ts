import { Type, type Static } from 'typebox';
import { defineEndpoint, json, jsonBody } from '../endpoint.ts';
import { maxPerPage } from '../pagination.ts';
import { InventoryDevice } from './inventory.ts';

const base = '/api/management/v2/inventory';
const reading = {
  tag: 'management: inventory',
  audience: 'user',
  permission: 'inventory.read',
  auditAction: null,
} as const;

export const attributeScopes = ['system', 'identity', 'inventory', 'monitor', 'tags'] as const;
export type AttributeScope = (typeof attributeScopes)[number];

export const filterOperators = [
  '$eq',
  '$ne',
  '$gt',
  '$gte',
  '$lt',
  '$lte',
  '$in',
  '$nin',
  '$exists',
  '$regex',
  '$ltne',
] as const;
export type FilterOperator = (typeof filterOperators)[number];

const Name = Type.String({ minLength: 1, maxLength: 1024 });

/** Scope and operator are plain strings here: the server names what is wrong with them in the reference's words. */
export const FilterTerm = Type.Object({
  scope: Type.String(),
  attribute: Name,
  type: Type.String({ description: filterOperators.join(' ') }),
  value: Type.Unknown(),
});
export type FilterTerm = Static<typeof FilterTerm>;

export const SearchBody = Type.Object({
  page: Type.Optional(Type.Integer()),
  per_page: Type.Optional(Type.Integer({ maximum: maxPerPage })),
  text: Type.Optional(Type.String({ maxLength: 1024 })),
  device_ids: Type.Optional(Type.Array(Type.String(), { maxItems: 10_000 })),
  filters: Type.Optional(Type.Array(FilterTerm, { maxItems: 32 })),
  sort: Type.Optional(
    Type.Array(
      Type.Object({
        scope: Type.String(),
        attribute: Name,
        order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
      }),
      { maxItems: 8 },
    ),
  ),
  attributes: Type.Optional(
    Type.Array(Type.Object({ scope: Type.String(), attribute: Name }), { maxItems: 200 }),
  ),
});
export type SearchBody = Static<typeof SearchBody>;

export const searchInventory = defineEndpoint({
  ...reading,
  id: 'searchInventory',
  method: 'POST',
  path: `${base}/filters/search`,
  summary: 'Devices that match all filters; X-Total-Count, no Link headers',
  body: jsonBody(SearchBody),
  responses: { 200: json(Type.Array(InventoryDevice)) },
  errors: [400, 401, 415, 503],
});

export const listFilterAttributes = defineEndpoint({
  ...reading,
  id: 'listFilterAttributes',
  method: 'GET',
  path: `${base}/filters/attributes`,
  summary: 'Attributes one can filter by, the most frequent first',
  responses: {
    200: json(Type.Array(Type.Object({ name: Type.String(), scope: Type.String(), count: Type.Integer() }))),
  },
  errors: [401, 503],
});

const CountsByTier = Type.Object({ standard: Type.Integer(), micro: Type.Integer(), system: Type.Integer() });

export const getInventoryStatistics = defineEndpoint({
  ...reading,
  id: 'getInventoryStatistics',
  method: 'GET',
  path: `${base}/statistics`,
  summary: 'How many devices there are by status and tier',
  responses: { 200: json(Type.Object({ devices_by_status: Type.Record(Type.String(), CountsByTier) })) },
  errors: [401, 503],
});

/** What the reference has nothing of. */
export const countAttributeValues = defineEndpoint({
  ...reading,
  id: 'countAttributeValues',
  method: 'GET',
  path: '/api/tandem/v1/inventory/values',
  summary: 'How many accepted devices have each value of an attribute: the hundred most frequent',
  query: Type.Object({ scope: Type.String(), attribute: Name }),
  responses: {
    200: json(
      Type.Object({
        values: Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() })),
        devices: Type.Integer({ description: 'accepted devices that have the attribute' }),
      }),
    ),
  },
  errors: [400, 401, 503],
});
