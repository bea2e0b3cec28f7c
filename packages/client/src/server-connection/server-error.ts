/**
 * - `unreachable`: no answer: name, connection, TLS or time.
 * - `unauthorized`: the server does not accept this device (yet), or no longer.
 * - `refused`: an answer with a status other than the expected; see `status`.
 * - `badAnswer`: an answer that is not what the protocol says.
 * - `downloadFailed`: the artifact's bytes could not be fetched to the end.
 * - `artifactChanged`: what was begun is not what is there now; it can be fetched from its first byte.
 */
export type ServerErrorCode =
  'unreachable' | 'unauthorized' | 'refused' | 'badAnswer' | 'downloadFailed' | 'artifactChanged';

export interface ServerErrorFacts {
  /** HTTP status of the answer, when there was one. */
  readonly status?: number | undefined;
  /** How long the server asked to be left alone (429 or 503 with Retry-After). */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** What went wrong between this device and its server. */
export class ServerError extends Error {
  readonly code: ServerErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ServerErrorCode, message: string, facts: ServerErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.name = 'ServerError';
    this.code = code;
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
  }
}
