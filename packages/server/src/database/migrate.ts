import type { DatabaseSync } from 'node:sqlite';
import { DatabaseError } from './database-error.ts';
import { migrations, type Migration } from './migrations/index.ts';

/**
 * Brings the schema up to date, each migration in its own transaction; returns the names of those that ran.
 * Throws a DatabaseError `newerSchema` when the data was written by a newer server.
 */
export function migrate(
  sqlite: DatabaseSync,
  now: number,
  list: readonly Migration[] = migrations,
): string[] {
  sqlite.exec(migrationsTable);
  const applied = sqlite
    .prepare('SELECT number, name FROM migrations ORDER BY number')
    .all()
    .map(({ number, name }) => ({ number: Number(number), name: String(name) }));
  assertKnown(applied, list);
  return list.slice(applied.length).map((migration, index) => {
    apply(sqlite, applied.length + index + 1, migration, now);
    return migration.name;
  });
}

function apply(sqlite: DatabaseSync, number: number, { name, sql }: Migration, now: number): void {
  sqlite.exec('BEGIN IMMEDIATE');
  try {
    sqlite.exec(sql);
    sqlite.prepare('INSERT INTO migrations (number, name, applied) VALUES (?, ?, ?)').run(number, name, now);
    sqlite.exec('COMMIT');
  } catch (cause) {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
    throw migrationFailed(number, { name }, cause);
  }
}

export const migrationsTable =
  'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied INTEGER NOT NULL) STRICT';

/** Throws `newerSchema` unless what was applied is the beginning of the list. */
export function assertKnown(
  applied: readonly { readonly number: number; readonly name: string }[],
  list: readonly Migration[],
): void {
  const unknown = applied.find(({ number, name }) => list[number - 1]?.name !== name);
  if (unknown === undefined) return;
  throw new DatabaseError(
    'newerSchema',
    `the database has migration ${unknown.number} "${unknown.name}", which this server does not know: ` +
      'start the server that wrote it, or restore a backup',
  );
}

export const migrationFailed = (number: number, { name }: { readonly name: string }, cause: unknown) =>
  new DatabaseError('failed', `migration ${number} "${name}" failed; the database is as it was before it`, {
    cause,
  });
