import { chmod, open } from 'node:fs/promises';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import type { Clock } from '../clock.ts';
import { migrate } from './migrate.ts';
import { queriedDirectly } from './prepared-query.ts';
import { readSnapshot } from './read-snapshot.ts';
import { searchLimits, type SearchLimits } from './search-limits.ts';
import { searchQueries } from './search-queries.ts';
import {
  searchConnection,
  sqliteConnection,
  sqliteDialect,
  type SqliteConnection,
} from './sqlite-dialect.ts';
import { letBeInterrupted } from './sqlite-functions.ts';
import type { Reader, Tables, Transaction } from './tables.ts';
import { groupCommit } from './unit-of-work.ts';

/** The store of the server, whatever engine is below. */
export interface Database {
  /** Committed state, for point reads. A read that decides about a write belongs into the unit of work instead. */
  readonly read: Reader;
  /**
   * As `read`, for what goes through many rows: searches, lists, counts. It runs beside the polls instead of before them, and ends:
   * a query may throw a DatabaseError `tookTooLong` or `tooBusy`. What was committed before it is asked, it sees.
   */
  readonly search: Reader;
  /** As `search`, for a caller who may leave: what has not had its turn by then is dropped, with a DatabaseError `callerGone`. */
  searchFor(signal: AbortSignal): Reader;
  /**
   * The only transaction there is. Resolves with the result of `work` once it is durable; rolls back when `work` throws.
   * `work` awaits nothing but queries on `tx` (no network, no files): others stand in line behind it. It changes nothing but the
   * database, since it is run again when another unit was faster (on PostgreSQL).
   */
  unitOfWork<R>(work: (tx: Transaction) => Promise<R>): Promise<R>;
  /** The sequence up to which the change log is complete; read it by `changesAfter`. */
  settledChanges(signal?: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

const busyTimeoutMs = 5000;
/** What a hundred thousand devices are looked up in when they poll, the indexes by token and by standing, is as large. */
const readCacheKiB = 32_768;

/**
 * Opens (or makes) the SQLite file and brings its schema up to date. Connections: one writes, one reads committed state only, and
 * others search in threads of their own. Throws a DatabaseError when the schema is newer than this server.
 */
export async function openSqliteDatabase(
  path: string,
  clock: Clock,
  limits: SearchLimits = searchLimits,
  committed?: (units: number) => void,
): Promise<Database> {
  await makePrivate(path);
  const writer = connect(path);
  migrate(writer, clock());
  const reader = connect(path);
  reader.exec(`PRAGMA query_only = ON; PRAGMA cache_size = -${readCacheKiB}`);

  const snapshot = readSnapshot(reader);
  const write = kyselyOn(sqliteConnection(writer, 'writing'));
  const read = kyselyOn(sqliteConnection(reader, 'reading', snapshot.begin));
  const queries = searchQueries({ path, busyTimeoutMs }, limits);
  const searchOn = (signal?: AbortSignal): Reader =>
    new Kysely<Tables>({ dialect: sqliteDialect(searchConnection(queries, signal)) });
  // The brand is given here and nowhere else.
  const transaction = write as Transaction;
  const run = compiledOnce(writer);
  const execute = (sql: string) => {
    run(sql);
    if (sql === 'COMMIT') snapshot.end();
  };
  const connection = { execute, inTransaction: () => writer.isTransaction };
  const group = groupCommit(connection, transaction, setImmediate, committed);
  return {
    read,
    search: searchOn(),
    searchFor: searchOn,
    unitOfWork: group.unitOfWork,
    // One writer: what is committed has every smaller number before it.
    settledChanges: async () => {
      const { last } = await read
        .selectFrom('change_log')
        .select(({ fn }) => fn.max('sequence').as('last'))
        .executeTakeFirstOrThrow();
      return last ?? 0;
    },
    close: async () => {
      await queries.close();
      await group.close();
      snapshot.end();
      reader.close();
      writer.close();
    },
  };
}

const kyselyOn = (connection: SqliteConnection): Kysely<Tables> =>
  queriedDirectly(new Kysely<Tables>({ dialect: sqliteDialect(connection) }), connection.prepare);

/** BEGIN, SAVEPOINT, COMMIT and the like: few texts, run all the time. */
function compiledOnce(sqlite: DatabaseSync): (sql: string) => void {
  const statements = new Map<string, StatementSync>();
  return (sql) => {
    const statement = statements.get(sql) ?? sqlite.prepare(sql);
    statements.set(sql, statement);
    statement.run();
  };
}

function connect(path: string): DatabaseSync {
  const sqlite = new DatabaseSync(path, { timeout: busyTimeoutMs });
  // synchronous=FULL with WAL: a commit is on disk when it returns; group commit makes that affordable.
  sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
  letBeInterrupted(sqlite);
  return sqlite;
}

// SQLite gives its -wal and -shm files the mode of the main file.
async function makePrivate(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  await file.close();
  await chmod(path, 0o600);
}
