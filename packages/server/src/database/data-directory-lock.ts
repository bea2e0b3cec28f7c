import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { DatabaseError } from './database-error.ts';

/**
 * Keeps a second server out of the data directory, or with `together` only one that wants it alone; the operating system lets go of it when the process dies, however it dies.
 * SQLite is used for its file locks, which Node itself does not offer. Throws a DatabaseError `misuse` when somebody holds it.
 */
export function lockDataDirectory(path: string, use: 'alone' | 'together' = 'alone'): () => void {
  const lock = new DatabaseSync(path, { timeout: 0 });
  try {
    // A read of anything takes the shared lock, and keeps it as long as the transaction.
    lock.exec(use === 'alone' ? 'BEGIN EXCLUSIVE' : 'BEGIN; SELECT count(*) FROM sqlite_schema');
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

const pauseMs = 50;
const longestWaitMs = 60_000;

/** Does something that two must not do at once, after whoever does it now. Throws as lockDataDirectory after a minute. */
export async function oneAfterAnother<R>(path: string, work: () => Promise<R>): Promise<R> {
  const unlock = await lockInTurn(path);
  try {
    return await work();
  } finally {
    unlock();
  }
}

async function lockInTurn(path: string): Promise<() => void> {
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    try {
      return lockDataDirectory(path);
    } catch (error) {
      if (waitedMs >= longestWaitMs) throw error;
    }
    await wait(pauseMs);
  }
}
