import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Log } from '../log.ts';
import { errorAnswer } from './error-answer.ts';
import { logAnswered, logUnexpected, requestIdOf } from './logged-request.ts';
import { securityHeaders } from './security-headers.ts';

export interface HttpOptions {
  /** Key and certificate chain in PEM; absent for plain HTTP. */
  readonly tls: { readonly key: string; readonly cert: string } | undefined;
  /** Of a JSON body; uploads declare their own (server contract 1.3). */
  readonly maxBodyBytes: number;
  readonly log: Log;
}

/** Bounds on what one connection may hold us up with. Uploads and downloads may take their time, heads of requests may not. */
const headTimeoutMs = 30_000;
const idleTimeoutMs = 7_200_000;
const maxParamLength = 4096;
const unread: Record<string, never> = Object.freeze({});

/** The bare server: what holds for every route, whichever domain it belongs to. Routes come by `registerRoute`. */
export function createHttp({ tls, maxBodyBytes, log }: HttpOptions): FastifyInstance {
  const safe = securityHeaders(tls !== undefined);
  const common = {
    bodyLimit: maxBodyBytes,
    connectionTimeout: idleTimeoutMs,
    requestTimeout: 0,
    http: { headersTimeout: headTimeoutMs },
    forceCloseConnections: 'idle',
    genReqId: requestIdOf,
    // Routes read their queries by their own schemas; to have them read here too would be for nobody.
    routerOptions: { maxParamLength, querystringParser: () => unread },
    exposeHeadRoutes: false,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      // Before any hook has run.
      void answerError(error, request, reply.headers(safe), log);
    },
  } as const;
  const app: FastifyInstance =
    tls === undefined
      ? fastify(common)
      : (fastify({ ...common, https: { ...tls, minVersion: 'TLSv1.2' } }) as unknown as FastifyInstance);

  // First of all: an error before this is known would be answered in the framework's own words.
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, log));
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: 'not found', request_id: request.id }),
  );

  app.decorateRequest('caller', null);
  readBodiesAsTheyCome(app);

  // Hooks of every request end by a call: a promise for each would cost a poll as much as its look-up.
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(safe).header('x-men-requestid', request.id);
    done();
  });
  let isClosing = false;
  app.addHook('preClose', async () => {
    isClosing = true;
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    // The rest of an upload nobody reads any more would otherwise be taken for the next request.
    const isUnread = reply.statusCode >= 400 && !request.raw.complete;
    // A server that stops must not wait for connections that are merely kept.
    if (isUnread || isClosing) reply.header('connection', 'close');
    done();
  });
  logRequests(app, log);
  return app;
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const { status, headers, body } = errorAnswer(error, request.id);
  logUnexpected(log, error, request);
  reply.code(status).headers({ 'x-men-requestid': request.id, ...headers });
  if (body === undefined) return reply.send();
  return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
}

const brokenRequests: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is no HTTP at all never becomes a request: it is answered on the bare socket, in the form of all errors. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = brokenRequests[error.code ?? ''] ?? '400 Bad Request';
  const body = JSON.stringify({ error: status.slice(4).toLowerCase() });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}

// JSON is decoded by the route itself: some signatures cover the raw bytes, and clients name other content types.
function readBodiesAsTheyCome(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, bytes: Buffer) => bytes,
  );
  app.addContentTypeParser(
    /^multipart\//,
    async (_request: FastifyRequest, stream: IncomingMessage) => stream,
  );
}

function logRequests(app: FastifyInstance, log: Log): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url, id, caller } = request;
    const { statusCode: status, elapsedTime: milliseconds } = reply;
    logAnswered(log, { method, url, id, status, milliseconds, actor: caller?.actor });
    done();
  });
}
