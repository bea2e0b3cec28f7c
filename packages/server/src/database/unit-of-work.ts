import { DatabaseError } from './database-error.ts';

/** What group commit needs of an engine: plain statements on the one connection that writes. */
export interface WritingConnection {
  execute(sql: string): void;
  /** False after the engine has rolled back by itself (full disk, I/O error). */
  inTransaction(): boolean;
}

export interface GroupCommit<Tx> {
  /**
   * Runs `work` inside a transaction; resolves with its result once it is on disk. When `work` throws, what it wrote is undone,
   * and only that. `work` awaits nothing but queries of `tx`.
   */
  readonly unitOfWork: <R>(work: (tx: Tx) => Promise<R>) => Promise<R>;
  /** Waits for all that was asked before; later units are refused. */
  readonly close: () => Promise<void>;
}

interface Unit<Tx> {
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const maxUnitsPerCommit = 1000;

/**
 * Group commit: units of work that were asked for in one turn of the event loop share one transaction, and so one fsync.
 *
 * INVARIANTS
 * - Units run one after another, each in its own savepoint; a failing one rolls back to it and touches no other.
 * - Nobody is answered, neither with a result nor with a failure, before the commit: a refusal may rest on what another unit of
 *   the group wrote.
 * - A failed commit is the failure of every unit in it.
 *
 * `committed` is told how many units shared each commit.
 */
export function groupCommit<Tx>(
  connection: WritingConnection,
  tx: Tx,
  defer: (run: () => void) => void = setImmediate,
  committed: (units: number) => void = () => undefined,
): GroupCommit<Tx> {
  const waiting: Unit<Tx>[] = [];
  const idleWaiters: (() => void)[] = [];
  let running = false;
  let closed = false;

  const schedule = () => {
    if (running || waiting.length === 0) return;
    running = true;
    defer(() => void runGroup());
  };

  const runGroup = async () => {
    const answers: (() => void)[] = [];
    const group: Unit<Tx>[] = [];
    try {
      connection.execute('BEGIN IMMEDIATE');
      for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) {
        group.push(unit);
        answers.push(await runUnit(unit));
        if (group.length >= maxUnitsPerCommit) break;
      }
      connection.execute('COMMIT');
      committed(group.length);
    } catch (cause) {
      if (connection.inTransaction()) connection.execute('ROLLBACK');
      const failed = new DatabaseError(
        'notCommitted',
        'the transaction could not be committed; nothing was stored',
        {
          cause,
        },
      );
      answers.splice(0, answers.length, ...group.map((unit) => () => unit.reject(failed)));
      // BEGIN itself failed: whoever waits is told, or the queue would never move.
      if (group.length === 0) answers.push(...waiting.splice(0).map((unit) => () => unit.reject(failed)));
    }
    for (const answer of answers) answer();
    running = false;
    schedule();
    if (!running) for (const idle of idleWaiters.splice(0)) idle();
  };

  const runUnit = async ({ work, resolve, reject }: Unit<Tx>): Promise<() => void> => {
    connection.execute('SAVEPOINT unit');
    try {
      const result = await work(tx);
      connection.execute('RELEASE unit');
      return () => resolve(result);
    } catch (error) {
      if (!connection.inTransaction()) throw error;
      connection.execute('ROLLBACK TO unit');
      connection.execute('RELEASE unit');
      return () => reject(error);
    }
  };

  return {
    unitOfWork: <R>(work: (tx: Tx) => Promise<R>) =>
      new Promise<R>((resolve, reject) => {
        if (closed) {
          reject(new DatabaseError('closed', 'the database is closed'));
          return;
        }
        // The queue holds units of every result type; each result goes to the promise it came from.
        waiting.push({ work, resolve: (result) => resolve(result as R), reject });
        schedule();
      }),
    close: async () => {
      closed = true;
      if (running) await new Promise<void>((resolve) => idleWaiters.push(resolve));
    },
  };
}
