import { Type, type Static } from 'typebox';
import { defineEndpoint, empty, json, jsonBody, multipartBody } from '../endpoint.ts';
import { defaultPerPage, lenientPagingQuery, pagingQuery } from '../pagination.ts';

const tag = 'artifacts';
const reading = { tag, audience: 'user', permission: 'releases.read', auditAction: null } as const;
const writing = { tag, audience: 'user', permission: 'releases.write' } as const;
const base = '/api/management/v1/deployments';

/** Bounds of an upload, in bytes (server contract 1.3). */
export const maxArtifactBytes = 10 * 1024 ** 3;
/** What the other parts of the form may add to it. */
const maxFormBytes = 4 * 1024 ** 2;

const Strings = Type.Array(Type.String());
const StringMap = Type.Record(Type.String(), Type.String());
const id = Type.Object({ id: Type.String() });

/** An artifact as the API shows it (server contract 4.1). */
export const ArtifactImage = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  device_types_compatible: Strings,
  info: Type.Object({ format: Type.String(), version: Type.Integer() }),
  signed: Type.Boolean({ description: 'carries a signature; whose is not looked at' }),
  updates: Type.Array(
    Type.Object({
      type_info: Type.Object({ type: Type.Union([Type.String(), Type.Null()]) }),
      files: Type.Union([
        Type.Null(),
        Type.Array(
          Type.Object({
            name: Type.String(),
            checksum: Type.String({ description: 'SHA-256, hexadecimal' }),
            size: Type.Integer(),
            date: Type.String(),
          }),
        ),
      ]),
      metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      meta_data: Type.Optional(
        Type.Array(Type.Object({ Key: Type.String(), Value: Type.Unknown() }), {
          description: 'the same again as pairs: some clients read this one',
        }),
      ),
    }),
  ),
  artifact_provides: Type.Optional(StringMap),
  artifact_depends: Type.Optional(Type.Record(Type.String(), Strings)),
  clears_artifact_provides: Type.Optional(Strings),
  size: Type.Integer({ description: 'bytes of the artifact file' }),
  modified: Type.String(),
});
export type ArtifactImage = Static<typeof ArtifactImage>;

export const DownloadLink = Type.Object({
  uri: Type.String(),
  expire: Type.String(),
  method: Type.Literal('GET'),
});

export const uploadArtifact = defineEndpoint({
  ...writing,
  id: 'uploadArtifact',
  method: 'POST',
  path: `${base}/artifacts`,
  summary: 'Store an artifact; it is checked while it comes in',
  auditAction: 'create',
  body: multipartBody(
    Type.Object({
      description: Type.Optional(Type.String()),
      size: Type.Optional(Type.String({ description: 'bytes of the artifact, decimal' })),
      artifact_id: Type.Optional(Type.String({ format: 'uuid' })),
      artifact: Type.String({ format: 'binary', description: 'last' }),
    }),
    maxArtifactBytes + maxFormBytes,
  ),
  responses: { 201: empty },
  errors: [400, 401, 403, 409, 413, 415, 422, 507],
});

/** Bound of the raw file, in bytes (server contract 1.3). */
export const maxRawFileBytes = 256 * 1024 ** 2;

export const generateArtifact = defineEndpoint({
  ...writing,
  id: 'generateArtifact',
  method: 'POST',
  path: `${base}/artifacts/generate`,
  summary: 'Have an artifact made of one file; it appears under the id of the Location a little later',
  auditAction: 'create',
  body: multipartBody(
    Type.Object({
      name: Type.String(),
      description: Type.Optional(Type.String()),
      device_types_compatible: Type.String({ description: 'separated by commas' }),
      type: Type.Literal('single-file'),
      args: Type.Optional(
        Type.String({
          description:
            'JSON: filename, dest_dir, and software_filesystem, software_name, software_version if wanted',
        }),
      ),
      size: Type.Optional(Type.String({ description: 'bytes of the file, decimal' })),
      file: Type.String({ format: 'binary', description: 'last' }),
    }),
    maxRawFileBytes + maxFormBytes,
  ),
  responses: { 201: empty },
  errors: [400, 401, 403, 413, 415, 422, 507],
});

const filters = {
  name: Type.Optional(Type.String({ description: 'part of the name, whatever its case' })),
  description: Type.Optional(Type.String({ description: 'part of it, whatever its case' })),
  device_type: Type.Optional(Type.String({ description: 'part of it, whatever its case' })),
};

export const listAllArtifacts = defineEndpoint({
  ...reading,
  id: 'listAllArtifacts',
  method: 'GET',
  path: `${base}/artifacts`,
  summary: 'All artifacts',
  query: Type.Object(filters),
  responses: { 200: json(Type.Array(ArtifactImage)) },
  errors: [400, 401, 403],
});

export const listArtifacts = defineEndpoint({
  ...reading,
  id: 'listArtifacts',
  method: 'GET',
  path: `${base}/artifacts/list`,
  summary: 'Artifacts, by pages',
  query: Type.Object({ ...filters, sort: Type.Optional(Type.String()), ...lenientPagingQuery }),
  responses: { 200: json(Type.Array(ArtifactImage)) },
  errors: [400, 401, 403],
});

const repeated = Type.Optional(
  Type.Array(Type.String(), { description: 'exact; a trailing * makes it a prefix', maxItems: 100 }),
);

export const listArtifactsV2 = defineEndpoint({
  ...reading,
  id: 'listArtifactsV2',
  method: 'GET',
  path: '/api/management/v2/deployments/artifacts',
  summary: 'Artifacts by exact names or prefixes, by pages, without a total',
  query: Type.Object({
    name: repeated,
    description: Type.Optional(Type.String()),
    device_type: Type.Optional(Type.String()),
    ...pagingQuery,
    // Its bound is refused in words of its own (server contract 4.2).
    per_page: Type.Optional(Type.Integer({ minimum: 1, default: defaultPerPage })),
  }),
  responses: { 200: json(Type.Array(ArtifactImage)) },
  errors: [400, 401, 403],
});

export const getArtifact = defineEndpoint({
  ...reading,
  id: 'getArtifact',
  method: 'GET',
  path: `${base}/artifacts/{id}`,
  summary: 'One artifact',
  params: id,
  responses: { 200: json(ArtifactImage) },
  errors: [400, 401, 403, 404],
});

export const putArtifact = defineEndpoint({
  ...writing,
  id: 'putArtifact',
  method: 'PUT',
  path: `${base}/artifacts/{id}`,
  summary: 'Change the description',
  auditAction: 'update',
  params: id,
  body: jsonBody(Type.Object({ description: Type.Optional(Type.String({ maxLength: 4096 })) })),
  responses: { 204: empty },
  errors: [400, 401, 403, 404, 413, 415, 422],
});

export const deleteArtifact = defineEndpoint({
  ...writing,
  id: 'deleteArtifact',
  method: 'DELETE',
  path: `${base}/artifacts/{id}`,
  summary: 'Delete an artifact that no active deployment uses; its release goes with the last one',
  auditAction: 'delete',
  params: id,
  responses: { 204: empty },
  errors: [400, 401, 403, 404, 409],
});

export const getArtifactLink = defineEndpoint({
  ...reading,
  id: 'getArtifactLink',
  method: 'GET',
  path: `${base}/artifacts/{id}/download`,
  summary: 'A link to download the artifact by, good for fifteen minutes',
  params: id,
  responses: { 200: json(DownloadLink) },
  errors: [400, 401, 403, 404],
});

export const getStorageLimit = defineEndpoint({
  ...reading,
  id: 'getStorageLimit',
  method: 'GET',
  path: `${base}/limits/{name}`,
  summary: 'How much may be stored (0: no limit) and how much is, in bytes',
  params: Type.Object({ name: Type.String() }),
  responses: { 200: json(Type.Object({ limit: Type.Integer(), usage: Type.Integer() })) },
  errors: [400, 401, 403],
});
