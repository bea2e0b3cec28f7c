import type { FastifyError } from 'fastify';
import { DatabaseError, type DatabaseErrorCode } from '../database/database-error.ts';
import { saysNoSpace } from '../no-space.ts';
import { ObjectStorageError } from '../object-storage/object-storage.ts';
import { ServerError, type ServerErrorCode } from '../server-error.ts';

/** The one place where errors get their status. */
// prettier-ignore
const statuses = {
  badRequest:           400,
  unauthorized:         401,
  forbidden:            403,
  notFound:             404,
  methodNotAllowed:     405,
  conflict:             409,
  preconditionFailed:   412,
  tooLarge:             413,
  unsupportedMediaType: 415,
  rangeNotSatisfiable:  416,
  unprocessable:        422,
  tooManyRequests:      429,
  internal:             500,
  unavailable:          503,
} as const satisfies Record<ServerErrorCode, number>;

/** What a database says of the request, not of itself; its words go to the caller. */
const databaseAnswers: Readonly<Partial<Record<DatabaseErrorCode, Pick<ErrorAnswer, 'status' | 'headers'>>>> =
  {
    unstorableText: { status: 400, headers: {} },
    badPattern: { status: 400, headers: {} },
    tookTooLong: { status: 503, headers: {} },
    tooBusy: { status: 503, headers: { 'retry-after': '10' } },
    // For the log of requests: nobody reads it.
    callerGone: { status: 503, headers: {} },
  };

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined where the reference answers with the status alone. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

/** What the caller is told (server contract 1.2). The text of an unexpected error stays in the log. */
export function errorAnswer(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof ServerError) {
    const message = error.code === 'internal' ? 'internal error' : error.message;
    return {
      status: statuses[error.code],
      headers: error.headers,
      body: error.emptyBody ? undefined : { error: message, ...error.details, request_id: requestId },
    };
  }
  const fromDatabase = databaseAnswer(error);
  if (fromDatabase !== undefined) {
    return { ...fromDatabase, body: { error: text(error), request_id: requestId } };
  }
  if (saysNoSpace(error)) {
    const message = 'the server has no space left to store this: nothing of it was stored; try again later';
    return { status: 507, headers: {}, body: { error: message, request_id: requestId } };
  }
  if (error instanceof ObjectStorageError && error.code === 'unreachable') {
    const message = 'the storage of artifacts does not answer; try again later';
    return { status: 503, headers: {}, body: { error: message, request_id: requestId } };
  }
  const status = statusOfFramework(error);
  const message =
    status === 500 ? 'internal error' : status === 413 ? 'http: request body too large' : text(error);
  return { status, headers: {}, body: { error: message, request_id: requestId } };
}

export const isUnexpected = (error: unknown): boolean =>
  error instanceof ServerError
    ? error.code === 'internal'
    : databaseAnswer(error) === undefined && statusOfFramework(error) >= 500;

const databaseAnswer = (error: unknown) =>
  error instanceof DatabaseError ? databaseAnswers[error.code] : undefined;

const isFrameworkError = (error: unknown): error is FastifyError =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  error.code.startsWith('FST_');

const statusOfFramework = (error: unknown): number => {
  const known = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  // A request body that breaks off carries a 400 and no framework code; anything else unknown is our fault.
  if (known === 400 || (isFrameworkError(error) && typeof known === 'number' && known < 500))
    return Number(known);
  return 500;
};

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
