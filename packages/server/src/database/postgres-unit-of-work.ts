import { setTimeout as wait } from 'node:timers/promises';
import { Kysely } from 'kysely';
import { DatabaseError as PostgresError, type Pool, type PoolClient } from 'pg';
import { DatabaseError } from './database-error.ts';
import { postgresDialect } from './postgres-dialect.ts';
import type { Tables, Transaction } from './tables.ts';

/** The one connection of a unit of work, with what has happened on it. */
interface Session {
  readonly tx: Transaction;
  isOpen: boolean;
  /** SQLSTATE of the last query that failed: after it the transaction cannot be committed any more. */
  failure: string | undefined;
  /** The query under way: a client takes one at a time, whatever the unit of work asks for at once. */
  last: Promise<unknown>;
}

const maxAttempts = 40;
const maxWaitMs = 200;

/**
 * Failures that come of others being at work at the same time, with how often it is worth to begin anew. A row that was made by
 * another a moment ago may show as a violation: seen once more, the unit of work finds it and decides otherwise.
 */
const worthAttempts: Readonly<Record<string, number>> = {
  '40001': maxAttempts, // serialization_failure
  '40P01': maxAttempts, // deadlock_detected
  '23505': 3, // unique_violation
};

/**
 * INVARIANTS
 * - Every unit is a transaction of its own, serializable: what it decides holds as if it had been alone, as it is on SQLite.
 * - A unit that loses against another is run again from its beginning; so `work` changes nothing but the database.
 * - It has a transaction number before it takes any number of a sequence; `changesAfter` rests on it.
 * - Nobody is answered with a result before the commit, which is on disk when it returns.
 */
const begin =
  'BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL synchronous_commit = on; SELECT pg_current_xact_id()';

export function postgresUnitOfWork(pool: Pool): <R>(work: (tx: Transaction) => Promise<R>) => Promise<R> {
  const sessions = new WeakMap<PoolClient, Session>();
  const sessionOf = (client: PoolClient): Session => {
    const session = sessions.get(client) ?? newSession(client);
    sessions.set(client, session);
    return session;
  };

  return async (work) => {
    for (let attempt = 1; ; attempt += 1) {
      const client = await pool.connect();
      const session = sessionOf(client);
      let isUsable = false;
      try {
        const result = await runOnce(client, session, work);
        isUsable = true;
        return result;
      } catch (error) {
        isUsable = await rollBack(client);
        const limit = worthAttempts[session.failure ?? ''] ?? 0;
        if (attempt >= limit) throw limit === maxAttempts ? givenUp(error) : error;
      } finally {
        client.release(!isUsable);
      }
      // Not all at the same moment again.
      await wait(Math.random() * Math.min(maxWaitMs, 2 ** attempt));
    }
  };
}

async function runOnce<R>(
  client: PoolClient,
  session: Session,
  work: (tx: Transaction) => Promise<R>,
): Promise<R> {
  session.failure = undefined;
  session.last = Promise.resolve();
  await client.query(begin);
  session.isOpen = true;
  try {
    const result = await work(session.tx);
    session.isOpen = false;
    await session.last;
    await commit(client, session);
    return result;
  } finally {
    session.isOpen = false;
    await session.last;
  }
}

async function commit(client: PoolClient, session: Session): Promise<void> {
  try {
    const { command } = await client.query('COMMIT');
    // PostgreSQL answers the commit of a transaction in which something has failed with a rollback, and calls it well.
    if (command === 'COMMIT') return;
  } catch (cause) {
    session.failure = codeOf(cause);
    throw new DatabaseError('notCommitted', 'the transaction could not be committed', { cause });
  }
  throw new DatabaseError(
    'notCommitted',
    `nothing was stored: the unit of work went on after a query had failed (${session.failure})`,
  );
}

const rollBack = (client: PoolClient): Promise<boolean> =>
  client.query('ROLLBACK').then(
    () => true,
    // The connection is gone, and the transaction with it.
    () => false,
  );

function newSession(client: PoolClient): Session {
  const query = async (...asked: Parameters<PoolClient['query']>): Promise<unknown> => {
    if (!session.isOpen) throw new DatabaseError('misuse', 'the unit of work of this query has ended');
    const answer = session.last.then(() => client.query(...asked));
    session.last = answer.then(
      () => undefined,
      (error: unknown) => void (session.failure ??= codeOf(error)),
    );
    return answer;
  };
  // The same client, but for the guard before its queries.
  const guarded = Object.assign(Object.create(client) as PoolClient, { query });
  const kysely = new Kysely<Tables>({
    dialect: postgresDialect({ acquire: () => Promise.resolve(guarded), release: () => undefined }),
  });
  // The brand is given here for PostgreSQL, and nowhere else.
  const session: Session = {
    tx: kysely as Transaction,
    isOpen: false,
    failure: undefined,
    last: Promise.resolve(),
  };
  return session;
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof PostgresError ? error.code : undefined;

const givenUp = (cause: unknown) =>
  new DatabaseError(
    'notCommitted',
    `nothing was stored: others were always faster, ${maxAttempts} times; ask again`,
    {
      cause,
    },
  );
