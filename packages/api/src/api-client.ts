import type { Endpoint, HeaderValues, JsonBodyOf, ParamsOf, QueryOf, ReplyOf } from './endpoint.ts';
import { ApiError } from './errors.ts';

export interface ApiClientOptions {
  /** Scheme, host and port, with a path when the server lives below one. */
  readonly baseUrl: string;
  /** Asked at each call, so that a token may change; undefined for none. */
  readonly token: () => string | undefined;
  readonly fetch: typeof fetch;
  /** Bound on waiting for the head of an answer. */
  readonly timeoutMs?: number;
}

/** What a call may carry; params, query and JSON body only where the endpoint has them. */
export type CallOptions<E extends Endpoint> = {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
} & (keyof ParamsOf<E> extends never ? { readonly params?: undefined } : { readonly params: ParamsOf<E> }) & {
    readonly query?: Partial<QueryOf<E>>;
  } & BodyOption<E>;

type BodyOption<E extends Endpoint> = E['body'] extends { readonly kind: 'json'; readonly optional: false }
  ? { readonly body: JsonBodyOf<E> }
  : E['body'] extends { readonly kind: 'json' }
    ? { readonly body?: JsonBodyOf<E> }
    : E['body'] extends { readonly kind: 'bytes' | 'multipart' }
      ? { readonly body: Uint8Array<ArrayBuffer> | FormData | ReadableStream<Uint8Array> }
      : { readonly body?: undefined };

/** A declared answer; `headers` are those that came. */
export type ClientReply<E extends Endpoint> = ReplyOf<E, ReadableStream<Uint8Array>> & {
  readonly headers: HeaderValues;
};

export type ApiClient = <E extends Endpoint>(endpoint: E, options: CallOptions<E>) => Promise<ClientReply<E>>;

const defaultTimeoutMs = 60_000;

/**
 * Calls endpoints by their values. Resolves with a declared answer, told apart by `status`; throws an ApiError for any other:
 * `refused` with the server's own words, `unexpectedAnswer`, or `unreachable`.
 *
 * ```ts
 * const call = createApiClient({ baseUrl: 'https://localhost:8443', token: () => token, fetch });
 * const { body } = await call(getDevice, { params: { id } });
 * ```
 */
export const createApiClient =
  ({ baseUrl, token, fetch, timeoutMs = defaultTimeoutMs }: ApiClientOptions): ApiClient =>
  async (endpoint, options) => {
    const { url, init } = outgoing(endpoint, options, baseUrl, token());
    const what = `${endpoint.method} ${new URL(url).pathname}`;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    const signal =
      options.signal === undefined ? limit.signal : AbortSignal.any([limit.signal, options.signal]);
    try {
      const response = await fetch(url, { ...init, signal });
      return await readReply(endpoint, response, what);
    } catch (cause) {
      if (cause instanceof ApiError) throw cause;
      throw new ApiError('unreachable', `${what} got no answer from ${new URL(url).host}: ${reason(cause)}`, {
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  };

interface Outgoing {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function outgoing(
  endpoint: Endpoint,
  { params, query, body, headers }: Outgoing,
  baseUrl: string,
  token?: string,
) {
  const values = new Map(Object.entries(params ?? {}).map(([key, value]) => [key, String(value)]));
  const path = endpoint.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) =>
    encodeURIComponent(values.get(name) ?? ''),
  );
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) search.append(key, String(one));
  }
  const isJson = endpoint.body?.kind === 'json' && body !== undefined;
  const init: RequestInit & { duplex?: 'half' } = {
    method: endpoint.method,
    headers: {
      ...(token === undefined || endpoint.audience === 'none' ? {} : { authorization: `Bearer ${token}` }),
      ...(isJson ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    // What is not JSON is typed as a body of fetch where the call is made.
    ...(body === undefined
      ? {}
      : { body: isJson ? JSON.stringify(body) : (body as NonNullable<RequestInit['body']>), duplex: 'half' }),
  };
  const suffix = search.size === 0 ? '' : `?${search.toString()}`;
  return { url: `${baseUrl.replace(/\/+$/, '')}${path}${suffix}`, init };
}

async function readReply<E extends Endpoint>(
  endpoint: E,
  response: Response,
  what: string,
): Promise<ClientReply<E>> {
  const declared = endpoint.responses[response.status];
  if (declared === undefined) throw await refusal(response, what);
  const headers = headerValues(response.headers);
  const reply = (body: unknown) =>
    // By its status the answer is that member of the union.
    ({ status: response.status, headers, body }) as unknown as ClientReply<E>;
  switch (declared.kind) {
    case 'json':
      return reply(await response.json());
    case 'text':
      return reply(await response.text());
    case 'stream':
      return reply(response.body);
    case 'empty':
      await response.body?.cancel();
      return reply(undefined);
  }
}

async function refusal(response: Response, what: string): Promise<ApiError> {
  const text = await response.text();
  const body = parsed(text);
  const stated =
    typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : undefined;
  const requestId = response.headers.get('x-men-requestid') ?? undefined;
  const { status } = response;
  return status >= 400
    ? new ApiError('refused', `${what} was refused with ${status}: ${stated ?? response.statusText}`, {
        status,
        requestId,
        body,
      })
    : new ApiError(
        'unexpectedAnswer',
        `${what} was answered with ${status}, which its contract does not know`,
        {
          status,
          requestId,
          body,
        },
      );
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 1000);
  }
};

// A Link header comes as several lines, which fetch joins by commas.
const headerValues = (headers: Headers): HeaderValues => Object.fromEntries(headers.entries());

const reason = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
};
