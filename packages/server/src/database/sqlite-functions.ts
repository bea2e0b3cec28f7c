import type { DatabaseSync } from 'node:sqlite';

/**
 * Gives the connection the SQL function `still_wanted()`, which is true. A query under way in SQLite hears nothing of the thread that
 * runs it being ended; only a call back into JavaScript does, and then fails. So what may read many rows asks it at each
 * (`stillWanted` in sql-differences.ts): a tenth of a microsecond a row. It is not declared deterministic, or SQLite would ask once.
 */
export const letBeInterrupted = (sqlite: DatabaseSync): void => sqlite.function('still_wanted', () => 1);
