import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { DatabaseError } from './database-error.ts';
import type { SearchLimits } from './search-limits.ts';
import { closed, searchLine } from './search-line.ts';

export interface Query {
  readonly sql: string;
  readonly parameters: readonly (string | number | bigint | null | Uint8Array)[];
}

export type Answer = { readonly rows: readonly unknown[] } | { readonly failure: string };

/** What search-thread.ts is started with. */
export interface SearchThreadData {
  readonly path: string;
  readonly busyTimeoutMs: number;
}

export interface SearchQueries {
  /**
   * Resolves with the rows. A query whose signal ends before its turn is dropped. Throws a DatabaseError: `tookTooLong`, `tooBusy`,
   * `callerGone`, `closed`, `failed`.
   */
  readonly run: (query: Query, signal?: AbortSignal) => Promise<readonly unknown[]>;
  /** Ends the query under way and refuses the others. */
  readonly close: () => Promise<void>;
}

interface Asked {
  readonly query: Query;
  readonly resolve: (rows: readonly unknown[]) => void;
  readonly reject: (error: DatabaseError) => void;
}

const startTimeoutMs = 30_000;
/**
 * Of a thread. A search that needs more than the first ends with an error, and the server goes on; the second is for what lives as long
 * as a row is read, for which V8 would take tens of megabytes in each thread.
 */
const heap = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 8 } as const;

/**
 * Runs queries on SQLite in threads of their own, since `node:sqlite` answers no poll while it works: a few at once, so that a page of
 * a list does not wait for a search through all of the fleet. A thread is started by the first query that finds the others at work. A
 * query that takes longer than its limit cannot be stopped: its thread is ended, and the next query gets a fresh one.
 *
 * INVARIANTS
 * - At most one query is under way in a thread: whose time is up is therefore never in doubt.
 * - Whoever asked is answered when the time is up, not when the thread has ended; others get the thread only then.
 * - A query is handed to a thread after it was asked, and reads what is committed by then.
 */
export function searchQueries(data: SearchThreadData, limits: SearchLimits): SearchQueries {
  const threads = Array.from({ length: limits.atOnce }, () => searchThread(data, limits.runMs));
  const line = searchLine(threads, limits);
  const working = new Set<Promise<void>>();
  let isClosed = false;

  return {
    run: async (query, signal) => {
      const thread = await line.enter(signal);
      // Between its turn and now.
      if (isClosed) throw closed();
      return new Promise((resolve, reject) => {
        const work = thread.run({ query, resolve, reject }).finally(() => {
          working.delete(work);
          line.leave(thread);
        });
        working.add(work);
      });
    },
    close: async () => {
      isClosed = true;
      line.close();
      for (const thread of threads) thread.giveUp(closed());
      await Promise.all(working);
      for (const thread of threads) await thread.end();
    },
  };
}

interface SearchThread {
  /** Resolves once it is answered and the thread is free again. */
  readonly run: (asked: Asked) => Promise<void>;
  /** Ends the query under way, if there is any. */
  readonly giveUp: (why: DatabaseError) => void;
  readonly end: () => Promise<unknown>;
}

function searchThread(data: SearchThreadData, runMs: number): SearchThread {
  let thread: Worker | undefined;
  let giveUp: SearchThread['giveUp'] = () => undefined;

  const started = async (signal: AbortSignal): Promise<Worker> => {
    const worker = await startThread(data, signal);
    // One that dies with nothing to do is not asked again.
    worker.once('exit', () => {
      if (thread === worker) thread = undefined;
    });
    return worker;
  };

  return {
    run: async ({ query, resolve, reject }) => {
      const ending = new AbortController();
      let reason: DatabaseError | undefined;
      giveUp = (why) => {
        reason ??= why;
        ending.abort();
      };
      let timer: NodeJS.Timeout | undefined;
      try {
        thread ??= await started(ending.signal);
        // From here on: to start a thread takes longest when the machine is busy, which is not the query's fault.
        timer = setTimeout(() => giveUp(tookTooLong(runMs)), runMs);
        const answer = await answerOf(thread, query, ending.signal);
        if ('rows' in answer) resolve(answer.rows);
        else reject(new DatabaseError('failed', `the query "${query.sql}" failed: ${answer.failure}`));
      } catch (cause) {
        reject(reason ?? died(cause));
        await thread?.terminate();
        thread = undefined;
      } finally {
        clearTimeout(timer);
      }
    },
    giveUp: (why) => giveUp(why),
    end: async () => thread?.terminate(),
  };
}

async function startThread(workerData: SearchThreadData, signal: AbortSignal): Promise<Worker> {
  // Written so, the build finds it and makes a file of it that lies beside the program.
  const worker = new Worker(new URL('./search-thread.ts', import.meta.url), {
    name: 'search',
    workerData,
    resourceLimits: heap,
  });
  // Also one that dies with nothing to do must not take the server with it; the next query finds out.
  worker.on('error', () => undefined);
  try {
    await once(worker, 'message', { signal: AbortSignal.any([AbortSignal.timeout(startTimeoutMs), signal]) });
    return worker;
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

async function answerOf(worker: Worker, query: Query, signal: AbortSignal): Promise<Answer> {
  const answered = once(worker, 'message', { signal });
  worker.postMessage(query);
  // What search-thread.ts sends.
  return ((await answered) as [Answer])[0];
}

const tookTooLong = (runMs: number) =>
  new DatabaseError('tookTooLong', `the search took longer than ${runMs} ms and was ended: narrow it`);

const died = (cause: unknown) =>
  new DatabaseError('failed', 'the thread that searches has ended; the next search gets a new one', {
    cause,
  });
