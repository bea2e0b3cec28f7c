import { setTimeout as wait } from 'node:timers/promises';
import type { ChangeEvent } from '@tandem/api';
import type { Actor, Tenant } from '../actor.ts';
import { rfc3339 } from '../clock.ts';
import { changesAfter, type Change } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import { visibleChanges } from './visible-changes.ts';

export interface ChangeStreamOptions {
  readonly database: Database;
  readonly tenant: Tenant;
  /** The last change the reader has seen. */
  readonly after: number;
  readonly mayLearnOf: (kind: string) => boolean;
  /** Who reads; asked before anything is told, and every few seconds: the stream ends once it is undefined. */
  readonly whoReads: () => Promise<Actor | undefined>;
  readonly signal: AbortSignal;
}

const batch = 200;
const pollMs = 500;
const checkMs = 3000;
const quietMs = 15_000;
/** What a reader is told to wait before it comes again. */
const retryMs = 2000;

/**
 * Changes as the text of server-sent events, until the signal or the permission ends it. Reads on only as fast as it is read, so
 * that never more than a batch is in memory, however far behind the reader is. What the reader may not learn of is passed over.
 */
export async function* changeStream(options: ChangeStreamOptions): AsyncGenerator<string> {
  const { database, tenant, mayLearnOf, whoReads, signal } = options;
  let seen = options.after;
  let quietSince = Date.now();
  let checked = Date.now();
  // At once, so that the headers go out and the reader knows that it is connected.
  yield `retry: ${retryMs}\n\n`;
  while (!signal.aborted) {
    const changes = await changesAfter(database, tenant, seen, batch, signal);
    const ofInterest = changes.filter(({ kind }) => mayLearnOf(kind));
    const told: string[] = [];
    if (ofInterest.length > 0 || Date.now() - checked >= checkMs) {
      const actor = await whoReads();
      if (actor === undefined) return;
      checked = Date.now();
      told.push(...(await visibleChanges(database.read, actor, ofInterest)).map(eventText));
    }
    seen = changes.at(-1)?.sequence ?? seen;
    if (told.length > 0) {
      yield told.join('');
      quietSince = Date.now();
    } else if (Date.now() - quietSince >= quietMs) {
      // Proxies cut what is silent; and the reader goes on from here, not from the last that it was told.
      yield `id: ${seen}\n: still here\n\n`;
      quietSince = Date.now();
    }
    if (changes.length < batch) await wait(pollMs, undefined, { signal });
  }
}

function eventText({ sequence, kind, ref, actor, time }: Change): string {
  const event: ChangeEvent = { kind, ref, actor, time: rfc3339(time) };
  // JSON has no line end in it: one line of data is all of it.
  return `id: ${sequence}\nevent: ${kind}\ndata: ${JSON.stringify(event)}\n\n`;
}
