import { Type } from 'typebox';
import { defineEndpoint, json, text } from './endpoint.ts';

/** What the reference has nothing of: the contract, told by the server that keeps it. It holds no secret. */
const described = {
  method: 'GET',
  tag: 'server',
  audience: 'none',
  permission: null,
  auditAction: null,
  errors: [],
} as const;

export const getOpenApi = defineEndpoint({
  ...described,
  id: 'getOpenApi',
  path: '/api/tandem/v1/openapi.json',
  summary: 'This interface as an OpenAPI document',
  responses: {
    200: json(
      Type.Object(
        { openapi: Type.String(), paths: Type.Object({}, { additionalProperties: true }) },
        { additionalProperties: true },
      ),
    ),
  },
});

export const getDocumentation = defineEndpoint({
  ...described,
  id: 'getDocumentation',
  path: '/api/tandem/v1/documentation',
  summary: 'This interface as a page to read',
  responses: { 200: text('text/html; charset=utf-8') },
});

export const getDocumentationStyle = defineEndpoint({
  ...described,
  id: 'getDocumentationStyle',
  path: '/api/tandem/v1/documentation.css',
  summary: 'How that page looks',
  responses: { 200: text('text/css; charset=utf-8') },
});
