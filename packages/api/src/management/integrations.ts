import { Type } from 'typebox';
import { defineEndpoint, json } from '../endpoint.ts';
import { pagingQuery } from '../pagination.ts';

/** Webhooks and clouds that are told of devices (server contract 8). There can be none yet: user interfaces ask for them at start. */
const reading = {
  tag: 'integrations',
  audience: 'user',
  permission: 'integrations.read',
  auditAction: null,
  method: 'GET',
} as const;
const base = '/api/management/v1/iot-manager';

const none = { 200: json(Type.Array(Type.Object({ id: Type.String() }))) } as const;

export const listIntegrations = defineEndpoint({
  ...reading,
  id: 'listIntegrations',
  path: `${base}/integrations`,
  summary: 'Integrations: none',
  query: Type.Object(pagingQuery),
  responses: none,
  errors: [400, 401, 403],
});

export const getIntegration = defineEndpoint({
  ...reading,
  id: 'getIntegration',
  path: `${base}/integrations/{id}`,
  summary: 'One integration: there is none',
  params: Type.Object({ id: Type.String() }),
  responses: {},
  errors: [400, 401, 403, 404],
});

export const listIntegrationEvents = defineEndpoint({
  ...reading,
  id: 'listIntegrationEvents',
  path: `${base}/events`,
  summary: 'What integrations were told: nothing',
  query: Type.Object({ ...pagingQuery, integration_id: Type.Optional(Type.String()) }),
  responses: none,
  errors: [400, 401, 403],
});
