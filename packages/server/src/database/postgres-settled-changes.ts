import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Reader } from './tables.ts';

const pauseMs = 5;

/**
 * The sequence up to which the change log is complete: no smaller one appears any more.
 *
 * A sequence number is taken when a change is written, and seen when it is committed, which is another order. But a unit of work
 * has its transaction number before it takes a sequence number. So: see how far the sequence has come; take a
 * transaction number; wait until all with smaller ones have ended. What was taken before is then committed, or never will be. Nobody is locked out by
 * this, and the wait is that for the longest unit of work under way, milliseconds.
 */
export function settledChanges(read: Reader): (signal?: AbortSignal) => Promise<number> {
  // Where nothing was taken since, nothing is to be waited for, and no transaction number is spent.
  let settled = 0;
  return async (signal) => {
    const taken = await lastTaken(read);
    if (taken > settled) {
      await othersEnded(read, signal);
      settled = Math.max(settled, taken);
    }
    return taken;
  };
}

async function lastTaken(read: Reader): Promise<number> {
  const { rows } = await sql<{ taken: number }>`
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS taken FROM change_log_sequence_seq
  `.execute(read);
  return rows[0]?.taken ?? 0;
}

async function othersEnded(read: Reader, signal: AbortSignal | undefined): Promise<void> {
  // A number of our own: all that were there before have smaller ones, which a snapshot alone does not tell.
  const { rows } = await sql<{ own: string }>`SELECT pg_current_xact_id()::text AS own`.execute(read);
  const own = rows[0]?.own ?? '0';
  for (;;) {
    signal?.throwIfAborted();
    const { rows: ended } = await sql<{ all: boolean }>`
      SELECT pg_snapshot_xmin(pg_current_snapshot()) > ${own}::xid8 AS all
    `.execute(read);
    if (ended[0]?.all === true) return;
    await wait(pauseMs, undefined, signal === undefined ? {} : { signal });
  }
}
