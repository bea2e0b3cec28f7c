import type { DatabaseSync } from 'node:sqlite';

/** What the reads of one turn of the event loop see together. */
export interface ReadSnapshot {
  /** Before each read. */
  readonly begin: () => void;
  /** After each commit: who reads next must see it. */
  readonly end: () => void;
}

/**
 * Reads of one turn share a transaction, as writes do: outside of one, SQLite takes and leaves its locks for each statement, which
 * costs as much as a look-up by key. They see one state, none older than the turn; and a commit of ours ends it.
 */
export function readSnapshot(
  sqlite: DatabaseSync,
  defer: (run: () => void) => void = setImmediate,
): ReadSnapshot {
  const open = sqlite.prepare('BEGIN');
  const close = sqlite.prepare('COMMIT');
  let isOpen = false;
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    close.run();
  };
  return {
    begin: () => {
      if (isOpen) return;
      open.run();
      isOpen = true;
      defer(end);
    },
    end,
  };
}
