import type { Pool, PoolClient } from 'pg';
import { DatabaseError } from './database-error.ts';
import { assertKnown, migrationFailed, migrationsTable } from './migrate.ts';
import { migrations, type Migration } from './migrations/index.ts';
import { schemaText } from './sql-differences.ts';

/** Any number that other programs on the same database are unlikely to use for an advisory lock. */
const migrationLock = 7_412_036_001;

/**
 * As `migrate`, on PostgreSQL. Several servers may start at once: each migration is run by one of them, in its own transaction,
 * while the others wait.
 */
export async function migratePostgres(
  pool: Pool,
  now: number,
  list: readonly Migration[] = migrations,
): Promise<string[]> {
  const client = await pool.connect();
  const done: string[] = [];
  try {
    for (;;) {
      const name = await applyNext(client, now, list);
      if (name === undefined) return done;
      done.push(name);
    }
  } finally {
    client.release();
  }
}

/** Undefined when there is nothing left to do. */
async function applyNext(
  client: PoolClient,
  now: number,
  list: readonly Migration[],
): Promise<string | undefined> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [migrationLock]);
    await client.query(schemaText('postgresql', migrationsTable));
    const { rows } = await client.query<{ number: number; name: string }>(
      'SELECT number, name FROM migrations ORDER BY number',
    );
    assertKnown(rows, list);
    const migration = list[rows.length];
    if (migration !== undefined) await apply(client, rows.length + 1, migration, now);
    await client.query('COMMIT');
    return migration?.name;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

async function apply(client: PoolClient, number: number, migration: Migration, now: number): Promise<void> {
  try {
    await client.query(schemaText('postgresql', migration.sql));
    await client.query('INSERT INTO migrations (number, name, applied) VALUES ($1, $2, $3)', [
      number,
      migration.name,
      now,
    ]);
  } catch (cause) {
    if (cause instanceof DatabaseError) throw cause;
    throw migrationFailed(number, migration, cause);
  }
}
