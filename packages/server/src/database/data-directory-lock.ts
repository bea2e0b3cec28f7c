import { DatabaseSync } from 'node:sqlite';
import { DatabaseError } from './database-error.ts';

/**
 * Keeps a second server out of the data directory; the operating system lets go of it when the process dies, however it dies.
 * SQLite is used for its file locks, which Node itself does not offer. Throws a DatabaseError `misuse` when somebody holds it.
 */
export function lockDataDirectory(path: string): () => void {
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new DatabaseError(
      'misuse',
      `${path} is held by another server: stop it, or give this one its own --data-dir`,
      {
        cause,
      },
    );
  }
  return () => lock.close();
}
