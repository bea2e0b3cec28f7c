import { Readable } from 'node:stream';
import { streamChanges, type Permission } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Database } from '../database/open-database.ts';
import { bearerToken } from '../http/bearer-token.ts';
import type { Authenticate, RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { changedThing } from './change-kinds.ts';
import { changeStream } from './change-stream.ts';

export interface ChangeRouteNeeds {
  readonly database: Database;
  readonly authenticate: Authenticate;
  readonly isAllowed: (actor: Actor, permission: Permission) => boolean;
}

/** So many at once; each costs a query every half second. */
const maxStreams = 200;

/** Returns what ends all streams, for a server that stops. */
export function registerChangeRoutes(
  register: RegisterRoute,
  { database, authenticate, isAllowed }: ChangeRouteNeeds,
): () => void {
  const stopping = new AbortController();
  let open = 0;

  register(streamChanges, async ({ actor, headers, query, method, signal }) => {
    const answer = {
      status: 200,
      headers: { 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    } as const;
    const after =
      query.after ?? lastEventId(headers['last-event-id']) ?? (await database.settledChanges(signal));
    if (method === 'HEAD') return { ...answer, body: undefined };
    if (stopping.signal.aborted) throw new ServerError('unavailable', 'the server is being stopped');
    if (open >= maxStreams) {
      throw new ServerError('tooManyRequests', 'too many streams of changes are open', {
        headers: { 'retry-after': '30' },
      });
    }
    const token = bearerToken(headers, method);
    const ends = AbortSignal.any([signal, stopping.signal]);
    const body = Readable.from(
      changeStream({
        database,
        tenant: actor.tenant,
        after,
        mayLearnOf: (kind) => {
          const thing = changedThing(kind);
          return thing !== undefined && isAllowed(actor, thing.permission);
        },
        whoReads: async () => {
          try {
            const caller = await authenticate(token);
            return isAllowed(caller.actor, streamChanges.permission) ? caller.actor : undefined;
          } catch (error) {
            if (error instanceof ServerError && error.code === 'unauthorized') return undefined;
            throw error;
          }
        },
        signal: ends,
      }),
      { objectMode: false },
    );
    open += 1;
    body.once('close', () => (open -= 1));
    ends.addEventListener('abort', () => body.destroy(), { once: true });
    return { ...answer, body };
  });

  return () => stopping.abort(new Error('the server is being stopped'));
}

function lastEventId(given: string | readonly string[] | undefined): number | undefined {
  if (given === undefined || given === '') return undefined;
  if (typeof given !== 'string' || !/^[0-9]{1,15}$/.test(given)) {
    throw new ServerError(
      'badRequest',
      'Last-Event-ID is not one of ours: leave it out, or give the id of an event',
    );
  }
  return Number(given);
}
