import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Endpoint } from '@tandem/api';
import type { FastifyInstance } from 'fastify';
import type { Log } from '../log.ts';
import { ServerError } from '../server-error.ts';
import { whenThere, type Soon } from '../soon.ts';
import { errorAnswer } from './error-answer.ts';
import { logAnswered, logUnexpected, requestIdOf } from './logged-request.ts';
import type { AnsweredRequest } from './measure-requests.ts';
import type { Admit, Caller } from './register-route.ts';
import type { ReadRequest } from './read-request.ts';

/** An endpoint of which nearly every request is answered with 204, for a reason that is known once its caller is. */
export interface DirectRoute {
  readonly endpoint: Endpoint;
  readonly admit: Admit;
  readonly read: ReadRequest;
  /** Whether all that this caller can be answered with is 204, provided that it asks rightly. */
  readonly isSettled: (caller: Caller) => boolean;
}

export interface DirectAnswersNeeds {
  readonly log: Log;
  /** With every answer, as the framework sends them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBodyBytes: number;
  readonly requestAnswered: ((request: AnsweredRequest) => void) | undefined;
}

export type DirectAnswers = (path: string, route: DirectRoute) => void;

/**
 * Answers polls with nothing to do in front of the framework. They are nearly all that a fleet sends, and its routing, hooks and replies
 * would cost each more than what is looked up for it. They are admitted, read and refused by the functions that the framework's routes
 * use; whatever else comes, and whatever is not plain, goes on to the framework as it came.
 */
export function directAnswers(
  app: FastifyInstance,
  { log, headers, maxBodyBytes, requestAnswered }: DirectAnswersNeeds,
): DirectAnswers {
  const routes: { readonly path: string; readonly route: DirectRoute }[] = [];
  const routeOf = ({ method, url = '' }: IncomingMessage): DirectRoute | undefined =>
    routes.find(({ path, route }) => route.endpoint.method === method && isAt(url, path))?.route;
  const always = Object.entries(headers).flat();
  const atTurnsEnd = turnsEnd();
  // A fleet asks in few words, again and again: an address that was read rightly, and had no body, needs no second look.
  const understood: string[] = [];
  const understand = (url: string): void => {
    if (understood.includes(url)) return;
    understood.push(url);
    if (understood.length > maxUnderstood) understood.shift();
  };
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  // The one the framework has put there: it answers all that is not answered here.
  const [framework] = app.server.listeners('request') as [RequestListener];
  app.server.removeListener('request', framework);
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const route = routeOf(request);
    if (route === undefined || !isPlain(request, maxBodyBytes)) framework(request, response);
    else answer(route, request, response);
  });

  const answer = (route: DirectRoute, request: IncomingMessage, response: ServerResponse): void => {
    const began = performance.now();
    const { method = '', url = '', headers } = request;
    const requestId = requestIdOf(request);
    let caller: Caller | null = null;
    const answered = (): void => {
      const status = response.statusCode;
      const milliseconds = performance.now() - began;
      logAnswered(log, { method, url, id: requestId, status, milliseconds, actor: caller?.actor });
      requestAnswered?.({
        endpoint: route.endpoint.id,
        method,
        route: route.endpoint.path,
        status,
        seconds: milliseconds / 1000,
        isEndless: false,
      });
    };
    const refused = (error: unknown): void => {
      logUnexpected(log, error, { method, url, id: requestId });
      refuse(error, requestId, request, response);
      answered();
    };
    const admitted = (who: Caller | null): Soon<void> => {
      caller = who;
      if (who === null || !route.isSettled(who)) return framework(request, response);
      return whenThere(method === 'GET' ? undefined : bodyOf(request), (body) => {
        if (body !== undefined || !understood.includes(url)) route.read({ params: noParams, url, body });
        if (body === undefined) understand(url);
        atTurnsEnd(() => {
          response.writeHead(204, [...always, 'x-men-requestid', requestId, ...ending(request)]).end();
          answered();
        });
      });
    };
    try {
      const done = whenThere(route.admit({ method, headers }), admitted);
      if (done instanceof Promise) done.catch(refused);
    } catch (error) {
      refused(error);
    }
  };

  const refuse = (
    error: unknown,
    requestId: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void => {
    const { status, headers, body } = errorAnswer(error, requestId);
    const text = body === undefined ? '' : JSON.stringify(body);
    response.writeHead(status, [
      ...always,
      'x-men-requestid',
      requestId,
      ...Object.entries(headers).flat(),
      ...(body === undefined ? [] : ['content-type', 'application/json; charset=utf-8']),
      'content-length',
      String(Buffer.byteLength(text)),
      ...ending(request),
    ]);
    response.end(text);
  };

  // What is left of a body that nobody reads would be taken for the next request; and a server that stops waits for kept connections.
  const ending = ({ method, complete }: IncomingMessage): readonly string[] =>
    isClosing || (method !== 'GET' && !complete) ? ['connection', 'close'] : [];

  return (path, route) => void routes.push({ path, route });
}

/**
 * Runs what it is given once all that came in this turn of the event loop is read. Answers that go out together wake whoever waits for
 * them once, a proxy on the same machine above all; to wake somebody for each is the dearest part of writing it.
 */
function turnsEnd(): (run: () => void) => void {
  let waiting: (() => void)[] = [];
  const runAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const run of all) run();
  };
  return (run) => {
    if (waiting.push(run) === 1) setImmediate(runAll);
  };
}

const maxUnderstood = 8;

const noParams: Readonly<Record<string, never>> = Object.freeze({});

const isAt = (url: string, path: string): boolean =>
  url.startsWith(path) && (url.length === path.length || url[path.length] === '?');

/** A request whose body, if it may have one, says how long it is, and is not too long. */
function isPlain({ method, headers }: IncomingMessage, maxBodyBytes: number): boolean {
  const length = headers['content-length'];
  return method === 'GET' ? length === undefined : Number(length) <= maxBodyBytes;
}

/** Throws `badRequest` when the connection ends before it has come. */
const bodyOf = (request: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const broken = () => reject(new ServerError('badRequest', 'the request broke off'));
    // While its caller was looked up: nothing more would be heard of it.
    if (request.destroyed) broken();
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => resolve(Buffer.concat(pieces)));
    request.on('error', broken);
  });
