import { Type } from 'typebox';
import { defineEndpoint, json } from './endpoint.ts';

export const getHealth = defineEndpoint({
  id: 'getHealth',
  method: 'GET',
  path: '/health',
  tag: 'server',
  summary: '200 while the server answers, 503 once it is being stopped',
  audience: 'none',
  permission: null,
  auditAction: null,
  responses: { 200: json(Type.Object({ status: Type.Literal('ready') })) },
  errors: [503],
});

export const getReady = defineEndpoint({
  id: 'getReady',
  method: 'GET',
  path: '/ready',
  tag: 'server',
  summary: '200 when database, migrations and storage work, 503 naming those that do not',
  audience: 'none',
  permission: null,
  auditAction: null,
  responses: { 200: json(Type.Object({ status: Type.Literal('ready') })) },
  errors: [503],
});
