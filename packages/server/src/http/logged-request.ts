import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Actor } from '../actor.ts';
import type { Log } from '../log.ts';
import { isUnexpected } from './error-answer.ts';

/* What the log says of a request, whoever answered it. */

export interface LoggedRequest {
  readonly method: string;
  readonly url: string;
  readonly id: string;
}

/** The line of a request in the log, once it is answered. */
export function logAnswered(
  log: Log,
  {
    method,
    url,
    id,
    status,
    milliseconds,
    actor,
  }: LoggedRequest & {
    readonly status: number;
    readonly milliseconds: number;
    readonly actor: Actor | undefined;
  },
): void {
  log('info', `${method} ${pathOf(url)} ${status}`, {
    ms: Math.round(milliseconds),
    request: id,
    by: actor === undefined ? undefined : `${actor.subject.kind}:${actor.subject.id}`,
  });
}

/** What the caller is not told of an error that is our own. */
export function logUnexpected(log: Log, error: unknown, { method, url, id }: LoggedRequest): void {
  if (!isUnexpected(error)) return;
  log('error', `${method} ${pathOf(url)} failed`, { request: id, cause: describe(error) });
}

/** Without the query: links are signed there. */
export const pathOf = (url: string): string => {
  const mark = url.indexOf('?');
  return mark === -1 ? url : url.slice(0, mark);
};

/** The caller's own, where it is one that may stand in a log; a new one otherwise. */
export const requestIdOf = (request: IncomingMessage): string => {
  const given = request.headers['x-men-requestid'];
  return typeof given === 'string' && /^[\x21-\x7e]{1,128}$/.test(given) ? given : newId();
};

/** A UUID as others look, its last part counted: to draw each by lot would cost a poll more than all else of its id. */
const newId = countedIds();

function countedIds(): () => string {
  const own = randomUUID().slice(0, -12);
  let count = 0;
  return () => own + (count += 1).toString(16).padStart(12, '0');
}

/** An error and its causes, with the stack of the first: for the log alone. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    causes.push(`caused by ${cause.message}`);
  }
  return [error.stack ?? error.message, ...causes].join('\n');
}
