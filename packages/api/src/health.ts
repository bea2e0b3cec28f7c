import { Type } from 'typebox';
import { defineEndpoint, json } from './endpoint.ts';

export const getHealth = defineEndpoint({
  id: 'getHealth',
  method: 'GET',
  path: '/health',
  tag: 'server',
  summary: '200 when the server is ready, 503 while it is not',
  audience: 'none',
  permission: null,
  auditAction: null,
  responses: { 200: json(Type.Object({ status: Type.Literal('ready') })) },
  errors: [503],
});
