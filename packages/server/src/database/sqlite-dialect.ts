import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import { boundValue } from './bound-value.ts';
import { DatabaseError } from './database-error.ts';
import type { Prepare } from './prepared-query.ts';
import type { SearchQueries } from './search-queries.ts';

const maxCachedStatements = 500;

/**
 * Kysely on SQLite. One connection, used as it comes: who may use it when is settled by the unit of work, so that Kysely's own
 * transactions are refused here.
 */
export const sqliteDialect = (connection: DatabaseConnection): Dialect => ({
  createAdapter: () => new SqliteAdapter(),
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createIntrospector: (kysely) => new SqliteIntrospector(kysely),
  createDriver: () => sqliteDriver(connection),
});

function sqliteDriver(connection: DatabaseConnection): Driver {
  const refuse = () => Promise.reject(new DatabaseError('misuse', 'transactions begin by unitOfWork alone'));
  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    releaseConnection: () => Promise.resolve(),
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    destroy: () => Promise.resolve(),
  };
}

/**
 * On this thread. The connection that writes is used inside a transaction alone: a query of a unit of work that has ended is refused,
 * instead of being stored by itself. Statements are compiled once and kept, the least recently used given up first.
 */
export function sqliteConnection(
  sqlite: DatabaseSync,
  use: 'reading' | 'writing',
  beforeEach: () => void = () => undefined,
): SqliteConnection {
  const statements = new Map<string, Prepared>();
  const kept = (sql: string): Prepared => {
    const statement = statements.get(sql) ?? prepared(sqlite, sql);
    statements.delete(sql);
    statements.set(sql, statement);
    const oldest = statements.keys().next();
    if (statements.size > maxCachedStatements && !oldest.done) statements.delete(oldest.value);
    return statement;
  };
  const begin = (): void => {
    if (use === 'writing' && !sqlite.isTransaction)
      throw new DatabaseError('misuse', 'the unit of work of this query has ended');
    beforeEach();
  };
  return {
    // Not async and without a wait inside: all queries of a group must run in one turn of the event loop.
    executeQuery: <R>({ sql, parameters }: CompiledQuery) => {
      try {
        begin();
        return Promise.resolve(runHere<R>(kept(sql), sql, parameters));
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new DatabaseError('failed', String(error)));
      }
    },
    streamQuery: refuseToStream,
    prepare: <R>(sql: string) => {
      let read: ((parameters: readonly unknown[]) => R[]) | undefined;
      return (parameters) => {
        begin();
        return (read ??= rowReader<R>(sqlite, sql))(parameters);
      };
    },
  };
}

/** What Kysely asks for, and what is past it: statements that are compiled for good. */
export interface SqliteConnection extends DatabaseConnection {
  readonly prepare: Prepare;
}

/** On the thread that searches. */
export const searchConnection = (
  { run }: Pick<SearchQueries, 'run'>,
  signal?: AbortSignal,
): DatabaseConnection => ({
  executeQuery: async <R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> => {
    const values = parameters.map((value, position) => boundValue(value, position, sql));
    // The rows are what the query's type says: Kysely derives R from the tables.
    return { rows: (await run({ sql, parameters: values }, signal)) as R[] };
  },
  streamQuery: refuseToStream,
});

function refuseToStream(): never {
  throw new DatabaseError('misuse', 'rows are read in pages, not streamed');
}

/** The rows of a query that is asked all the time. They are put together here: the objects that the engine makes take twice as long. */
function rowReader<R>(sqlite: DatabaseSync, sql: string): (parameters: readonly unknown[]) => R[] {
  const statement = sqlite.prepare(sql);
  statement.setReturnArrays(true);
  const names = statement.columns().map(({ name }) => name);
  const rowOf = (values: readonly unknown[]): R => {
    const row: Record<string, unknown> = {};
    for (let column = 0; column < names.length; column += 1) row[names[column] ?? ''] = values[column];
    // The rows are what the query's type says: Kysely derives R from the tables.
    return row as R;
  };
  return (parameters) => {
    const values = parameters.map((value, position) => boundValue(value, position, sql));
    // Arrays, as they were asked for.
    return (statement.all(...values) as unknown as unknown[][]).map(rowOf);
  };
}

interface Prepared {
  readonly statement: StatementSync;
  /** Kept, since to ask for the columns costs several times what a look-up by key does. */
  readonly returnsRows: boolean;
}

function prepared(sqlite: DatabaseSync, sql: string): Prepared {
  const statement = sqlite.prepare(sql);
  return { statement, returnsRows: statement.columns().length > 0 };
}

function runHere<R>(
  { statement, returnsRows }: Prepared,
  sql: string,
  parameters: readonly unknown[],
): QueryResult<R> {
  const values = parameters.map((value, position) => boundValue(value, position, sql));
  if (returnsRows) {
    // The rows are what the query's type says: Kysely derives R from the tables.
    return { rows: statement.all(...values) as R[] };
  }
  const { changes, lastInsertRowid } = statement.run(...values);
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
}
