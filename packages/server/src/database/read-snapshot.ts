import type { DatabaseSync } from 'node:sqlite';

/** What reads that come soon after each other see together. */
export interface ReadSnapshot {
  /** Before each read. */
  readonly begin: () => void;
  /** After each commit: who reads next must see it. */
  readonly end: () => void;
}

/** So long what others have stored may go unseen: a command that is run beside the server. */
const longestMs = 10;

/**
 * Reads share a transaction, as writes do: outside of one, SQLite takes and leaves its locks for each statement, and looks whether what
 * it holds in memory still counts, which together cost as much as a look-up by key. They see one state, ten milliseconds old at most;
 * and our own commits end it.
 */
export function readSnapshot(
  sqlite: DatabaseSync,
  defer: (run: () => void) => void = (run) => setTimeout(run, longestMs),
): ReadSnapshot {
  const open = sqlite.prepare('BEGIN');
  const close = sqlite.prepare('COMMIT');
  let isOpen = false;
  let isDeferred = false;
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    // A read that failed may have ended it.
    if (sqlite.isTransaction) close.run();
  };
  return {
    begin: () => {
      if (isOpen) return;
      open.run();
      isOpen = true;
      if (isDeferred) return;
      isDeferred = true;
      defer(() => {
        isDeferred = false;
        end();
      });
    },
    end,
  };
}
