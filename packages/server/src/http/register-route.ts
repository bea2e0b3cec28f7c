import type { Readable } from 'node:stream';
import {
  checker,
  type Audience,
  type Endpoint,
  type JsonBodyOf,
  type ParamsOf,
  type QueryOf,
  type ReplyOf,
  type ResponseBody,
} from '@tandem/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Actor } from '../actor.ts';
import type { Standing } from '../deployments/nothing-to-do.ts';
import { ServerError } from '../server-error.ts';
import { bearerToken } from './bearer-token.ts';
import { whenThere, type Soon } from '../soon.ts';
import type { DirectAnswers } from './direct-answers.ts';
import { readRequest, type ReadRequest } from './read-request.ts';
import { assertJsonContentType, assertMultipartContentType } from './read-json.ts';

/** What a handler is given: everything checked, the caller proven. */
export interface Call<E extends Endpoint> {
  /** Undefined only where the endpoint's audience is `none`. */
  readonly actor: E['audience'] extends 'none' ? undefined : Actor;
  /** How the device stands with deployments, as it was when the token was read; of other callers nothing. */
  readonly standing: E['audience'] extends 'device' ? Standing : undefined;
  readonly params: ParamsOf<E>;
  readonly query: QueryOf<E>;
  /** JSON: the checked value. Bytes: a Buffer. Multipart: the stream itself. */
  readonly body: BodyOf<E>;
  /** Header names in lower case. */
  readonly headers: FastifyRequest['headers'];
  /** Path and query as they were asked for: for Link and Location headers. */
  readonly url: string;
  /** As it was asked: HEAD comes to the endpoint of GET. */
  readonly method: string;
  /** The jti of the caller's token; undefined where the audience is `none`. */
  readonly tokenId: string | undefined;
  readonly requestId: string;
  /** Of whoever holds the other end of the connection: a proxy, where there is one. */
  readonly remoteAddress: string;
  /** Ends long work when the caller is gone. */
  readonly signal: AbortSignal;
}

type BodyOf<E extends Endpoint> = E['body'] extends { readonly kind: 'json' }
  ? JsonBodyOf<E>
  : E['body'] extends { readonly kind: 'bytes' }
    ? Buffer
    : E['body'] extends { readonly kind: 'multipart' }
      ? Readable
      : undefined;

export type Handler<E extends Endpoint> = (call: Call<E>) => Promise<ReplyOf<E, Readable | undefined>>;

/**
 * Serves an endpoint of the contract; all routes of the server come into being here. With `isSettled`, requests of callers of whom it is
 * true are answered with 204 once they are read, and never come to the handler.
 */
export type RegisterRoute = <E extends Endpoint, const R extends ReplyOf<E, Readable | undefined>>(
  endpoint: E,
  handler: (call: Call<E>) => Promise<R>,
  isSettled?: (caller: Caller) => boolean,
) => void;

/** A proven caller. */
export interface Caller {
  readonly actor: Actor;
  readonly tokenId: string;
  /** Of a device. */
  readonly standing?: Standing | undefined;
}

/** Proves a token, or throws `unauthorized`. */
export type Authenticate = (token: string) => Soon<Caller>;

/** What is known of a request before its body is read. */
export type RequestHead = Pick<FastifyRequest, 'headers' | 'method'>;

/** Who calls, if he may; null where the endpoint's audience is `none`. Throws what a refusal is answered with. */
export type Admit = (request: RequestHead) => Soon<Caller | null>;

export interface RouteNeeds {
  readonly authenticate: Readonly<Record<Exclude<Audience, 'none'>, Authenticate>>;
  /** Whether the actor holds the endpoint's permission; roles come with a later issue. */
  readonly isAllowed: (actor: Actor, permission: NonNullable<Endpoint['permission']>) => boolean;
  /** Compare every answer with its declared schema and fail when it differs: for tests. */
  readonly checkAnswers: boolean;
  readonly direct: DirectAnswers;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    endpoint?: Endpoint;
  }
}

export const routeRegistrar =
  (app: FastifyInstance, needs: RouteNeeds): RegisterRoute =>
  (endpoint, handler, isSettled) => {
    const read = readRequest(endpoint);
    const admit = admission(endpoint, needs);
    const checks = needs.checkAnswers ? answerChecks(endpoint) : undefined;
    for (const path of [endpoint.path, ...(endpoint.aliases ?? [])]) {
      if (isSettled !== undefined) needs.direct(path, { endpoint, admit, read, isSettled });
      app.route({
        // Not the framework's own HEAD routes: they read a stream to its end and announce a length of 0.
        method: isDownload(endpoint) ? ['GET', 'HEAD'] : endpoint.method,
        url: fastifyPath(path),
        config: { endpoint },
        ...(endpoint.body !== undefined && 'maxBytes' in endpoint.body
          ? { bodyLimit: endpoint.body.maxBytes }
          : {}),
        // Before the body is read: nobody unknown makes us read a byte of it.
        onRequest: async (request) => {
          request.caller = await admit(request);
        },
        handler: async (request, reply) => {
          const call = new RequestedCall(read(request), request, reply);
          // The call was read by the endpoint's own schemas, of which Call<typeof endpoint> is the type.
          const answer = await handler(call as unknown as Parameters<typeof handler>[0]);
          checks?.(answer);
          return send(reply, endpoint.responses[answer.status], answer);
        },
      });
    }
  };

const isDownload = ({ method, responses }: Endpoint): boolean =>
  method === 'GET' && Object.values(responses).some((response) => response?.kind === 'stream');

/** `/devices/{id}` in the router's syntax. */
export const fastifyPath = (path: string): string => path.replaceAll(/\{([^}]+)\}/g, ':$1');

const admission =
  (endpoint: Endpoint, { authenticate, isAllowed }: RouteNeeds): Admit =>
  ({ headers, method }) => {
    const { audience, permission, body } = endpoint;
    const admit = (caller: Caller | null): Caller | null => {
      if (caller !== null && permission !== null && !isAllowed(caller.actor, permission)) {
        throw new ServerError('forbidden', `this needs the permission ${permission}`);
      }
      if (body?.kind === 'json') assertJsonContentType(headers);
      if (body?.kind === 'multipart') assertMultipartContentType(headers);
      return caller;
    };
    if (audience === 'none') return admit(null);
    return whenThere(authenticate[audience](bearerToken(headers, method)), admit);
  };

/** A class for `signal` alone: a getter made for each call would cost more than all its other members, and few ask for it. */
class RequestedCall {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly actor: Actor | undefined;
  readonly standing: Standing | undefined;
  readonly tokenId: string | undefined;
  readonly headers: FastifyRequest['headers'];
  readonly method: string;
  readonly url: string;
  readonly requestId: string;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;

  constructor(
    { params, query, body }: ReturnType<ReadRequest>,
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    this.params = params;
    this.query = query;
    this.body = body;
    this.actor = request.caller?.actor;
    this.standing = request.caller?.standing;
    this.tokenId = request.caller?.tokenId;
    this.headers = request.headers;
    this.method = request.method;
    this.url = request.url;
    this.requestId = request.id;
    this.#request = request;
    this.#reply = reply;
  }

  get remoteAddress(): string {
    return this.#request.ip;
  }

  get signal(): AbortSignal {
    const { raw } = this.#reply;
    const gone = new AbortController();
    const abort = () => gone.abort(new Error('the caller closed the connection'));
    if (raw.closed) abort();
    else raw.once('close', abort);
    return gone.signal;
  }
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly body?: unknown;
}

function send(
  reply: FastifyReply,
  declared: ResponseBody | undefined,
  { status, headers, body }: Answer,
): FastifyReply {
  reply.code(status);
  if (headers !== undefined) {
    for (const [name, value] of Object.entries(headers)) {
      reply.header(name, typeof value === 'string' ? value : [...value]);
    }
  }
  if (declared === undefined || declared.kind === 'empty') return reply.send();
  if (declared.kind === 'json') {
    return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
  }
  if (!reply.hasHeader('content-type')) reply.header('content-type', declared.contentType);
  // HEAD is a GET without its body, which the handler need not even have opened.
  return reply.send(reply.request.method === 'HEAD' ? undefined : body);
}

function answerChecks(endpoint: Endpoint): (answer: Answer) => void {
  const checkers = new Map(
    Object.entries(endpoint.responses).map(([status, response]) => [
      Number(status),
      response?.kind === 'json' ? checker(response.schema) : undefined,
    ]),
  );
  return ({ status, body }) => {
    if (!checkers.has(status))
      throw new ServerError('internal', `${endpoint.id} answered ${status}, not in its contract`);
    const schema = checkers.get(status);
    // As it goes over the wire: undefined members vanish.
    const sent: unknown = schema === undefined ? undefined : JSON.parse(JSON.stringify(body));
    if (schema !== undefined && !schema.accepts(sent)) {
      throw new ServerError(
        'internal',
        `${endpoint.id} answered ${status} unlike its contract: ${schema.faults(sent).join('; ')}`,
      );
    }
  };
}
