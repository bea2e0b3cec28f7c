import { Type } from 'typebox';
import { defineEndpoint, optionalJsonBody } from '../endpoint.ts';

const directUpload = { tag: 'artifacts', audience: 'user', permission: 'releases.write' } as const;
const path = '/api/management/v1/deployments/artifacts/directupload';

/*
 * Uploads past the server, straight into a bucket. The reference has them switched off by default, and answers 404 then; so do we,
 * who have no bucket to upload into. Clients take the 404 for "upload as usual".
 */

export const requestDirectUpload = defineEndpoint({
  ...directUpload,
  id: 'requestDirectUpload',
  method: 'POST',
  path,
  summary: 'A link to upload an artifact by; switched off',
  auditAction: 'create',
  responses: {},
  errors: [401, 403, 404],
});

export const completeDirectUpload = defineEndpoint({
  ...directUpload,
  id: 'completeDirectUpload',
  method: 'POST',
  path: `${path}/{id}/complete`,
  summary: 'The artifact is uploaded; switched off',
  auditAction: 'create',
  params: Type.Object({ id: Type.String() }),
  body: optionalJsonBody(
    Type.Object({ size: Type.Optional(Type.Integer()), updates: Type.Optional(Type.Array(Type.Unknown())) }),
  ),
  responses: {},
  errors: [400, 401, 403, 404, 413, 415],
});
