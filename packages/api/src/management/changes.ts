import { Type, type Static } from 'typebox';
import { defineEndpoint, events } from '../endpoint.ts';

/** The data of one event. */
export const ChangeEvent = Type.Object({
  kind: Type.String({ description: 'as `device.accepted`; also the type of the event' }),
  ref: Type.String({
    description: 'the id of the thing; of two where it is about two, with a slash between',
  }),
  actor: Type.String({ description: '`user:<id>`, `device:<id>` or `system:<part>`' }),
  time: Type.String(),
});
export type ChangeEvent = Static<typeof ChangeEvent>;

/** What the reference has nothing of. */
export const streamChanges = defineEndpoint({
  id: 'streamChanges',
  method: 'GET',
  path: '/api/tandem/v1/changes',
  tag: 'changes',
  summary:
    'Changes as they happen, as server-sent events: from the Last-Event-ID on, without one from now on; those only that the caller may read',
  audience: 'user',
  permission: 'changes.read',
  auditAction: null,
  query: Type.Object({
    after: Type.Optional(Type.Integer({ minimum: 0, description: 'instead of the header Last-Event-ID' })),
  }),
  responses: { 200: events },
  errors: [400, 401, 403, 429, 503],
});
