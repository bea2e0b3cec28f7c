import { Type, type Static } from 'typebox';
import { defineEndpoint, empty, json, jsonBody } from '../endpoint.ts';
import { lenientPagingQuery, pagingQuery } from '../pagination.ts';
import { ArtifactImage } from './artifacts.ts';

const tag = 'releases';
const reading = { tag, audience: 'user', permission: 'releases.read', auditAction: null } as const;
const writing = { tag, audience: 'user', permission: 'releases.write' } as const;
const v1 = '/api/management/v1/deployments/deployments/releases';
const v2 = '/api/management/v2/deployments/deployments/releases';
const v1alpha1 = '/api/management/v1alpha1/deployments/software';

const Tags = Type.Array(Type.String());
const name = Type.Object({ name: Type.String() });

/** All artifacts of one name (server contract 4.3); the capital letters are those of the first version of the API. */
export const ReleaseV1 = Type.Object({
  Name: Type.String(),
  Modified: Type.String(),
  Artifacts: Type.Array(ArtifactImage),
  ArtifactsCount: Type.Integer(),
  tags: Tags,
  notes: Type.String(),
});
export type ReleaseV1 = Static<typeof ReleaseV1>;

export const ReleaseV2 = Type.Object({
  name: Type.String(),
  modified: Type.String(),
  artifacts: Type.Array(ArtifactImage),
  artifacts_count: Type.Integer(),
  tags: Tags,
  notes: Type.String(),
});
export type ReleaseV2 = Static<typeof ReleaseV2>;

const filtersV1 = {
  name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  device_type: Type.Optional(Type.String({ description: 'exact' })),
  update_type: Type.Optional(Type.String({ description: 'payload type, exact' })),
};

export const getReleases = defineEndpoint({
  ...reading,
  id: 'getReleases',
  method: 'GET',
  path: v1,
  summary: 'The first twenty releases',
  query: Type.Object(filtersV1),
  responses: { 200: json(Type.Array(ReleaseV1)) },
  errors: [400, 401, 403],
});

export const listReleases = defineEndpoint({
  ...reading,
  id: 'listReleases',
  method: 'GET',
  path: `${v1}/list`,
  summary: 'Releases, by pages',
  query: Type.Object({ ...filtersV1, sort: Type.Optional(Type.String()), ...lenientPagingQuery }),
  responses: { 200: json(Type.Array(ReleaseV1)) },
  errors: [400, 401, 403],
});

export const listReleasesV2 = defineEndpoint({
  ...reading,
  id: 'listReleasesV2',
  method: 'GET',
  path: v2,
  summary: 'Releases, by pages',
  query: Type.Object({
    name: Type.Optional(Type.String({ description: 'part of the name, whatever its case' })),
    tag: Type.Optional(Type.Array(Type.String(), { description: 'any of them' })),
    update_type: Type.Optional(Type.String()),
    sort: Type.Optional(Type.String()),
    ...lenientPagingQuery,
  }),
  responses: { 200: json(Type.Array(ReleaseV2)) },
  errors: [400, 401, 403],
});

export const deleteReleases = defineEndpoint({
  ...writing,
  id: 'deleteReleases',
  method: 'DELETE',
  path: v2,
  summary: 'Delete releases with their artifacts, unless an active deployment uses one',
  auditAction: 'delete',
  query: Type.Object({ name: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })) }),
  responses: { 204: empty },
  errors: [400, 401, 403, 409],
});

export const getRelease = defineEndpoint({
  ...reading,
  id: 'getRelease',
  method: 'GET',
  path: `${v2}/{name}`,
  summary: 'One release',
  params: name,
  responses: { 200: json(ReleaseV2) },
  errors: [401, 403, 404],
});

export const patchRelease = defineEndpoint({
  ...writing,
  id: 'patchRelease',
  method: 'PATCH',
  path: `${v2}/{name}`,
  summary: 'Change the notes',
  auditAction: 'update',
  params: name,
  body: jsonBody(Type.Object({ notes: Type.Optional(Type.String()) })),
  responses: { 204: empty },
  errors: [400, 401, 403, 404, 413, 415],
});

export const putReleaseTags = defineEndpoint({
  ...writing,
  id: 'putReleaseTags',
  method: 'PUT',
  path: `${v2}/{name}/tags`,
  summary: 'Replace the tags',
  auditAction: 'update',
  params: name,
  body: jsonBody(Type.Array(Type.String())),
  responses: { 204: empty },
  errors: [400, 401, 403, 404, 409, 413, 415],
});

export const listReleaseTags = defineEndpoint({
  ...reading,
  id: 'listReleaseTags',
  method: 'GET',
  path: '/api/management/v2/deployments/releases/all/tags',
  summary: 'All tags in use',
  responses: { 200: json(Tags) },
  errors: [401, 403],
});

export const listPayloadTypes = defineEndpoint({
  ...reading,
  id: 'listPayloadTypes',
  method: 'GET',
  path: '/api/management/v2/deployments/releases/all/types',
  summary: 'All payload types in use',
  responses: { 200: json(Type.Array(Type.String())) },
  errors: [401, 403],
});

const kind = Type.Optional(Type.Union([Type.Literal('release'), Type.Literal('manifest')]));

export const Software = Type.Object({
  name: Type.String(),
  modified: Type.String(),
  tags: Tags,
  notes: Type.String(),
  kind: Type.Union([Type.Literal('release'), Type.Literal('manifest')]),
  compatible_types: Type.Array(Type.String()),
});
export type Software = Static<typeof Software>;

export const listSoftware = defineEndpoint({
  ...reading,
  id: 'listSoftware',
  method: 'GET',
  path: v1alpha1,
  summary: 'Releases and manifests, by pages',
  query: Type.Object({
    name: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
    name_prefix: Type.Optional(Type.String()),
    kind,
    update_type: Type.Optional(Type.String()),
    tag: Type.Optional(Type.Array(Type.String())),
    sort: Type.Optional(Type.String()),
    ...pagingQuery,
  }),
  responses: { 200: json(Type.Array(Software)) },
  errors: [400, 401, 403],
});

export const listSoftwareTags = defineEndpoint({
  ...reading,
  id: 'listSoftwareTags',
  method: 'GET',
  path: `${v1alpha1}/tags`,
  summary: 'Tags in use on software of one kind',
  query: Type.Object({ kind }),
  responses: { 200: json(Tags) },
  errors: [400, 401, 403],
});
