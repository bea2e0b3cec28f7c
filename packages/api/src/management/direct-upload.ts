import { Type } from 'typebox';
import { defineEndpoint, empty, json, optionalJsonBody } from '../endpoint.ts';

const directUpload = { tag: 'artifacts', audience: 'user', permission: 'releases.write' } as const;
const path = '/api/management/v1/deployments/artifacts/directupload';

/*
 * Uploads past the server, straight into a bucket (server contract 4.2). A server that keeps artifacts in a directory has no bucket,
 * and answers 404, as the reference does where it is switched off. Clients take the 404 for "upload as usual".
 */

export const UploadLink = Type.Object({
  id: Type.String({ format: 'uuid', description: 'of the artifact to be' }),
  uri: Type.String(),
  expire: Type.String(),
  method: Type.Literal('PUT'),
  header: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: 'to be sent with the upload' }),
  ),
});

export const requestDirectUpload = defineEndpoint({
  ...directUpload,
  id: 'requestDirectUpload',
  method: 'POST',
  path,
  summary: 'A link to PUT an artifact of at most 5 GiB straight into the bucket',
  auditAction: 'create',
  responses: { 200: json(UploadLink) },
  errors: [401, 403, 404],
});

export const completeDirectUpload = defineEndpoint({
  ...directUpload,
  id: 'completeDirectUpload',
  method: 'POST',
  path: `${path}/{id}/complete`,
  summary: 'The artifact is uploaded: check it and take it in, in the background',
  auditAction: 'create',
  params: Type.Object({ id: Type.String() }),
  body: optionalJsonBody(
    Type.Object({ size: Type.Optional(Type.Integer()), updates: Type.Optional(Type.Array(Type.Unknown())) }),
  ),
  responses: { 202: empty },
  errors: [400, 401, 403, 404, 413, 415],
});
