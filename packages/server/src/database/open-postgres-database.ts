import { Kysely } from 'kysely';
import { Pool, types, type ClientBase, type PoolConfig } from 'pg';
import type { Clock } from '../clock.ts';
import { DatabaseError } from './database-error.ts';
import type { Database } from './open-database.ts';
import { postgresDialect, type ClientSource } from './postgres-dialect.ts';
import { migratePostgres } from './postgres-migrate.ts';
import { settledChanges } from './postgres-settled-changes.ts';
import { postgresUnitOfWork } from './postgres-unit-of-work.ts';
import { searchLimits, type SearchLimits } from './search-limits.ts';
import { searchLine, type SearchLine } from './search-line.ts';
import type { Reader, Tables } from './tables.ts';

/** Units of work at one time: more of them would hinder each other more than they gain. */
const maxWriters = 4;
const maxReaders = 8;
const connectTimeoutMs = 30_000;
const statementTimeoutMs = 60_000;

/**
 * Connects to PostgreSQL (14 or newer) and brings the schema up to date; several servers may do so at once. Three pools: one writes,
 * one reads committed state only, and one searches. The URL is libpq's; what it leaves out comes from PGHOST, PGPASSWORD and the like.
 * Throws a DatabaseError, which never shows the password: `failed`, or `newerSchema`.
 */
export async function openPostgresDatabase(
  url: string,
  clock: Clock,
  limits: SearchLimits = searchLimits,
): Promise<Database> {
  const writers = pool(url, maxWriters, 'SET default_transaction_isolation = serializable');
  const readers = pool(url, maxReaders, readOnly);
  const searchers = pool(url, limits.atOnce, readOnly, {
    statement_timeout: limits.runMs,
  });
  const close = async () => {
    await writers.end();
    await readers.end();
    await searchers.end();
  };
  try {
    await migratePostgres(writers, clock());
  } catch (cause) {
    await close();
    if (cause instanceof DatabaseError) throw cause;
    throw new DatabaseError('failed', `the database ${withoutSecrets(url)} cannot be used`, { cause });
  }
  const read = readerOn({ acquire: () => readers.connect(), release: giveBack });
  const line = searchLine(
    Array.from({ length: limits.atOnce }, (_, place) => place),
    limits,
  );
  const searchOn = (signal?: AbortSignal): Reader => readerOn(inTurn(searchers, line, signal));
  const state = { isClosed: false };
  const unitOfWork = postgresUnitOfWork(writers);
  return {
    read,
    search: searchOn(),
    searchFor: searchOn,
    unitOfWork: (work) =>
      state.isClosed
        ? Promise.reject(new DatabaseError('closed', 'the database is closed'))
        : unitOfWork(work),
    settledChanges: settledChanges(read),
    close: async () => {
      state.isClosed = true;
      line.close();
      await close();
    },
  };
}

const readOnly = 'SET default_transaction_read_only = on';

const readerOn = (source: ClientSource): Reader => new Kysely<Tables>({ dialect: postgresDialect(source) });

/** Only what a pool gave comes back. */
const giveBack: ClientSource['release'] = (client) => {
  if ('release' in client && typeof client.release === 'function') client.release();
};

/** Connections to search on, each taken once there is a place for it. */
function inTurn(searchers: Pool, line: SearchLine<number>, signal: AbortSignal | undefined): ClientSource {
  const places = new WeakMap<ClientBase, number>();
  return {
    acquire: async () => {
      const place = await line.enter(signal);
      try {
        const client = await searchers.connect();
        places.set(client, place);
        return client;
      } catch (cause) {
        line.leave(place);
        throw cause;
      }
    },
    release: (client) => {
      giveBack(client);
      const place = places.get(client);
      if (place !== undefined) line.leave(place);
    },
  };
}

function pool(url: string, max: number, setUp: string, limits: PoolConfig = {}): Pool {
  const config: PoolConfig = {
    connectionString: url,
    max,
    application_name: 'tandem-server',
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    keepAlive: true,
    types: { getTypeParser },
    ...limits,
    verify: (client, done) => client.query(setUp, (error) => done(error)),
  };
  const made = new Pool(config);
  // A connection that breaks while nobody uses it is replaced by the pool; one in use fails its query.
  const ignore = () => undefined;
  made.on('error', ignore);
  made.on('connect', (client: ClientBase) => client.on('error', ignore));
  return made;
}

const int8 = 20;
const numeric = 1700;

/** 64-bit numbers and their sums as numbers: what we store stays below 2^53. */
const getTypeParser: typeof types.getTypeParser = (oid: number, format?: unknown) =>
  oid === int8 || oid === numeric
    ? safeNumber
    : types.getTypeParser(oid, format === 'binary' ? 'binary' : 'text');

function safeNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  throw new DatabaseError('failed', `the database answered ${text}, which is no number we can count with`);
}

/** For messages: where the database is, without who asks and by what right. */
function withoutSecrets(text: string): string {
  const { host, pathname } = new URL(text);
  return `postgres://${host}${pathname}`;
}
