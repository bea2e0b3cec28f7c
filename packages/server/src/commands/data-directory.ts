import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { openSqliteDatabase, type Database } from '../database/open-database.ts';
import type { StoragePaths } from '../object-storage/open-object-storage.ts';
import { ServerError } from '../server-error.ts';

/** Where in the data directory the things lie. */
export const databasePath = (dataDirectory: string): string => join(dataDirectory, 'tandem.sqlite');
export const keysPath = (dataDirectory: string): string => join(dataDirectory, 'keys');
export const linkKeyPath = (dataDirectory: string): string =>
  join(keysPath(dataDirectory), 'download-links.key');
export const artifactsPath = (dataDirectory: string): string => join(dataDirectory, 'artifacts');
/** What of it the storage of artifacts uses. */
export const storagePaths = (dataDirectory: string): StoragePaths => ({
  artifacts: artifactsPath(dataDirectory),
  owner: join(keysPath(dataDirectory), 'storage-owner.id'),
});
export const startLockPath = (dataDirectory: string): string => join(dataDirectory, 'start.lock');
export const lockPath = (dataDirectory: string): string => join(dataDirectory, 'serve.lock');

/**
 * The database that is meant: PostgreSQL by its URL, else SQLite in the data directory, both made and brought up to date if need
 * be. `committed` is told how many units of work share each commit of SQLite. Throws `badRequest` for a URL beside a SQLite
 * database: its artifacts would be taken for nobody's.
 */
export async function openDatabase(
  { dataDirectory, database }: { readonly dataDirectory: string; readonly database: string | undefined },
  clock: Clock,
  committed?: (units: number) => void,
): Promise<Database> {
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const path = databasePath(dataDirectory);
  if (database === undefined) return openSqliteDatabase(path, clock, undefined, committed);
  if (await exists(path)) {
    throw new ServerError(
      'badRequest',
      `${dataDirectory} holds the data of a server on SQLite (${path}): give a server with --database a data directory of its own`,
    );
  }
  // Loaded where it is used: without it a server starts sooner and is smaller.
  const { openPostgresDatabase } = await import('../database/open-postgres-database.ts');
  return openPostgresDatabase(database, clock);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Throws `badRequest` for root on the data of another user: the server could not read what root makes there.
 * A directory that is not there yet is nobody's.
 */
export async function assertNotRootElsewhere(
  dataDirectory: string,
  user = process.geteuid?.(),
): Promise<void> {
  if (user !== 0 || !(await exists(dataDirectory))) return;
  const { uid } = await stat(dataDirectory);
  if (uid === 0) return;
  throw new ServerError(
    'badRequest',
    `${dataDirectory} belongs to user ${uid}, who could not read what root makes there: ` +
      `run this as that user, such as by setpriv --reuid=${uid} --clear-groups`,
  );
}
