import {
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
} from 'kysely';
import { DatabaseError as PostgresError, type ClientBase } from 'pg';
import { boundValue } from './bound-value.ts';
import { DatabaseError } from './database-error.ts';

/** Where the queries of one Kysely go: to any client of a pool, or to the one client of a unit of work. */
export interface ClientSource {
  readonly acquire: () => Promise<ClientBase>;
  readonly release: (client: ClientBase) => void;
}

/** Kysely on `pg`. Kysely's own transactions are refused: the unit of work alone begins them. */
export const postgresDialect = (source: ClientSource): Dialect => ({
  createAdapter: () => new PostgresAdapter(),
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createIntrospector: (kysely) => new PostgresIntrospector(kysely),
  createDriver: () => {
    const clients = new WeakMap<DatabaseConnection, ClientBase>();
    const refuse = () =>
      Promise.reject(new DatabaseError('misuse', 'transactions begin by unitOfWork alone'));
    return {
      init: () => Promise.resolve(),
      acquireConnection: async () => {
        const client = await source.acquire();
        const connection = connectionOn(client);
        clients.set(connection, client);
        return connection;
      },
      releaseConnection: (connection) => {
        const client = clients.get(connection);
        if (client !== undefined) source.release(client);
        return Promise.resolve();
      },
      beginTransaction: refuse,
      commitTransaction: refuse,
      rollbackTransaction: refuse,
      destroy: () => Promise.resolve(),
    };
  },
});

const connectionOn = (client: ClientBase): DatabaseConnection => ({
  executeQuery: async <R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> => {
    const values = parameters.map((value, position) => storable(boundValue(value, position, sql)));
    try {
      const { rows, rowCount, command } = await client.query({ text: sql, values });
      return {
        // The rows are what the query's type says: Kysely derives R from the tables.
        rows: rows as R[],
        ...(writing.has(command) ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}),
      };
    } catch (error) {
      throw inOurWords(error);
    }
  },
  streamQuery: () => {
    throw new DatabaseError('misuse', 'rows are read in pages, not streamed');
  },
});

const writing: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

type Value = ReturnType<typeof boundValue>;

function storable(value: Value): Value {
  if (typeof value === 'string' && value.includes('\0')) {
    throw unstorable('has the character U+0000 in it, which PostgreSQL cannot hold');
  }
  return value;
}

const unstorable = (why: string, cause?: unknown) =>
  new DatabaseError('unstorableText', `a text cannot be stored: it ${why}`, { cause });

/** What PostgreSQL says of what was asked for, by SQLSTATE, in our words; anything else is our fault, or its own. */
const faultsOfTheCaller: Readonly<Record<string, (cause: unknown) => DatabaseError>> = {
  // program_limit_exceeded, which is also what an oversize entry of an index answers
  '54000': (cause) => unstorable('is too long for an index of PostgreSQL', cause),
  // query_canceled, by statement_timeout
  '57014': (cause) =>
    new DatabaseError('tookTooLong', 'the search took too long and was ended: narrow it', { cause }),
  // invalid_regular_expression
  '2201B': (cause) =>
    new DatabaseError('badPattern', 'value: is not a regular expression of PostgreSQL.', { cause }),
};

const inOurWords = (error: unknown): unknown =>
  (error instanceof PostgresError ? faultsOfTheCaller[error.code ?? ''] : undefined)?.(error) ?? error;
