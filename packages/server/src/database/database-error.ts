export type DatabaseErrorCode =
  'badParameter' | 'misuse' | 'failed' | 'notCommitted' | 'newerSchema' | 'closed';

/** What went wrong between us and the database; constraint violations come as SQLite's own errors. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const uniqueViolations: readonly unknown[] = [
  2067, // SQLITE_CONSTRAINT_UNIQUE
  1555, // SQLITE_CONSTRAINT_PRIMARYKEY
];

/** Whether a write failed because the row is there already. */
export const isUniqueViolation = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && uniqueViolations.includes(error.errcode);
