import { Type, type Static } from 'typebox';

/** The body of every error answer (server contract 1.2); `request_id` equals the X-MEN-RequestID header. */
export const ErrorBody = Type.Object({ error: Type.String(), request_id: Type.Optional(Type.String()) });
export type ErrorBody = Static<typeof ErrorBody>;

export type ApiErrorCode = 'refused' | 'unexpectedAnswer' | 'unreachable';

/** What the typed client throws for anything but a declared answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** Undefined when no answer came. */
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** The whole error body when it was JSON: some answers carry more than `error`. */
  readonly body: unknown;

  constructor(
    code: ApiErrorCode,
    message: string,
    facts: { status?: number; requestId?: string | undefined; body?: unknown; cause?: unknown } = {},
  ) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.status = facts.status;
    this.requestId = facts.requestId;
    this.body = facts.body;
  }
}
