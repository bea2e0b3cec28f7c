export type DatabaseErrorCode =
  | 'badParameter'
  | 'misuse'
  | 'failed'
  | 'notCommitted'
  | 'newerSchema'
  | 'closed'
  /** A search was longer under way than it may be. */
  | 'tookTooLong'
  /** A search did not get its turn. */
  | 'tooBusy'
  /** A search waited for its turn until nobody waited for it. */
  | 'callerGone'
  /** A regular expression that the engine does not understand. */
  | 'badPattern'
  /** A text the engine cannot hold: with U+0000 in it, or too long for an index. */
  | 'unstorableText';

/** What went wrong between us and the database; constraint violations come as the engine's own errors. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
