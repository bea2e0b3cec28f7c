/** Why a request cannot be served; http/error-answer.ts alone gives each its status. */
export type ServerErrorCode =
  | 'badRequest'
  | 'unauthorized'
  | 'forbidden'
  | 'notFound'
  | 'methodNotAllowed'
  | 'conflict'
  | 'preconditionFailed'
  | 'tooLarge'
  | 'unsupportedMediaType'
  | 'rangeNotSatisfiable'
  | 'unprocessable'
  | 'tooManyRequests'
  | 'unavailable'
  | 'internal';

export interface ServerErrorFacts {
  readonly cause?: unknown;
  /** Further fields of the error body beside `error` and `request_id`. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answer with the status alone: some answers of the reference have no body (server contract 1.2). */
  readonly emptyBody?: boolean;
}

/** The one error class of the server. Its message goes to the caller, except that of `internal`, which goes to the log. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ServerErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly emptyBody: boolean;

  constructor(code: ServerErrorCode, message: string, facts: ServerErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.details = facts.details ?? {};
    this.headers = facts.headers ?? {};
    this.emptyBody = facts.emptyBody ?? false;
  }
}
