import type { Static, TObject, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Permission } from './permissions.ts';

/** Who may call: a device with its token, a person with theirs, our own processes, or anybody. */
export type Audience = 'device' | 'user' | 'internal' | 'none';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** How a request body comes in. `bytes` reaches the handler as it was sent; `multipart` as a stream, never in memory. */
export type RequestBody =
  | { readonly kind: 'json'; readonly schema: TSchema; readonly optional: boolean }
  | { readonly kind: 'bytes'; readonly schema: TSchema; readonly maxBytes: number }
  | { readonly kind: 'multipart'; readonly fields: TObject; readonly maxBytes: number };

/** How an answer goes out. `stream` is a download: with `ranged`, `Range` requests are answered with 206. */
export type ResponseBody =
  | { readonly kind: 'json'; readonly schema: TSchema }
  | { readonly kind: 'text'; readonly contentType: string }
  | { readonly kind: 'stream'; readonly contentType: string; readonly ranged: boolean }
  | { readonly kind: 'empty' };

export type ErrorStatus =
  400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 416 | 422 | 429 | 500 | 503 | 507;

/** One row of the contract. Routes, types, OpenAPI, the typed client and the authorization test all come from it. */
export interface Endpoint {
  /** Unique; the OpenAPI operationId. */
  readonly id: string;
  readonly method: Method;
  /** OpenAPI syntax: `/devices/{id}`. */
  readonly path: string;
  /** Other paths that mean the same: older prefixes that clients still use. */
  readonly aliases?: readonly string[];
  readonly tag: string;
  readonly summary: string;
  readonly audience: Audience;
  /** What a user must be allowed to do; null for devices and for what anybody may call. */
  readonly permission: Permission | null;
  /** The name under which the audit log knows it; null for what changes nothing. */
  readonly auditAction: string | null;
  readonly params?: TObject;
  readonly query?: TObject;
  readonly body?: RequestBody;
  /** Every answer that is not `{ error, request_id }`. */
  readonly responses: Readonly<Partial<Record<number, ResponseBody>>>;
  readonly errors: readonly ErrorStatus[];
}

/**
 * Checks and returns an endpoint; its type stays as narrow as it was written.
 *
 * ```ts
 * export const getDevice = defineEndpoint({
 *   id: 'getDevice', method: 'GET', path: '/api/management/v2/devauth/devices/{id}',
 *   tag: 'device authentication', summary: 'One device', audience: 'user', permission: 'devices.read', auditAction: null,
 *   params: Type.Object({ id: Type.String() }), responses: { 200: json(Device) }, errors: [401, 404],
 * });
 * ```
 * Throws a TypeError when path and params name different things, or a device endpoint asks for a user's permission.
 */
export function defineEndpoint<const E extends Endpoint>(endpoint: E): E {
  const declared = Object.keys(endpoint.params?.properties ?? {}).toSorted();
  for (const path of [endpoint.path, ...(endpoint.aliases ?? [])]) {
    const used = pathParameters(path).toSorted();
    if (used.join() !== declared.join()) {
      throw new TypeError(
        `endpoint ${endpoint.id}: path ${path} names {${used.join()}}, params {${declared.join()}}`,
      );
    }
  }
  if ((endpoint.audience === 'user') !== (endpoint.permission !== null)) {
    throw new TypeError(
      `endpoint ${endpoint.id}: a user's endpoint names its permission, no other endpoint does`,
    );
  }
  return endpoint;
}

/** The names between braces, in order. */
export const pathParameters = (path: string): string[] =>
  [...path.matchAll(/\{([^}]+)\}/g)].flatMap(([, name]) => (name === undefined ? [] : [name]));

export const json = <const S extends TSchema>(schema: S) => ({ kind: 'json', schema }) as const;
export const text = (contentType = 'text/plain') => ({ kind: 'text', contentType }) as const;
/** A token: the bare text of it, no line end. */
export const jwt = { kind: 'text', contentType: 'application/jwt' } as const;
export const empty = { kind: 'empty' } as const;
export const download = (contentType: string) => ({ kind: 'stream', contentType, ranged: true }) as const;

/** Server-sent events: an answer that does not end by itself. */
export const events = { kind: 'stream', contentType: 'text/event-stream', ranged: false } as const;

export const jsonBody = <const S extends TSchema>(schema: S) =>
  ({ kind: 'json', schema, optional: false }) as const;
export const optionalJsonBody = <const S extends TSchema>(schema: S) =>
  ({ kind: 'json', schema, optional: true }) as const;
export const bytesBody = <const S extends TSchema>(schema: S, maxBytes: number) =>
  ({ kind: 'bytes', schema, maxBytes }) as const;
export const multipartBody = <const S extends TObject>(fields: S, maxBytes: number) =>
  ({ kind: 'multipart', fields, maxBytes }) as const;

type StaticOrEmpty<S> = S extends TSchema ? Static<S> : Record<never, never>;

export type ParamsOf<E extends Endpoint> = StaticOrEmpty<E['params']>;
export type QueryOf<E extends Endpoint> = StaticOrEmpty<E['query']>;

/** What a caller writes into the body. */
export type JsonBodyOf<E extends Endpoint> = E['body'] extends {
  readonly kind: 'json';
  readonly schema: infer S extends TSchema;
  readonly optional: infer O;
}
  ? Static<S> | (O extends true ? undefined : never)
  : never;

type BodyOfResponse<R, StreamType> = R extends {
  readonly kind: 'json';
  readonly schema: infer S extends TSchema;
}
  ? Static<S>
  : R extends { readonly kind: 'text' }
    ? string
    : R extends { readonly kind: 'stream' }
      ? StreamType
      : undefined;

/** The answers of an endpoint as a union told apart by `status`; `StreamType` is what a download's body is at this end. */
export type ReplyOf<E extends Endpoint, StreamType> = {
  [S in keyof E['responses'] & number]: E['responses'][S] extends { readonly kind: 'empty' }
    ? { readonly status: S; readonly headers?: HeaderValues; readonly body?: undefined }
    : {
        readonly status: S;
        readonly headers?: HeaderValues;
        readonly body: BodyOfResponse<E['responses'][S], StreamType>;
      };
}[keyof E['responses'] & number];

/** Names in lower case; a list becomes one header line per value. */
export type HeaderValues = Readonly<Record<string, string | readonly string[]>>;

/** A compiled check; `faults` names every fault as `path: what is wrong`, at most `limit` of them. */
export function checker(schema: TSchema) {
  const validator = Compile(schema);
  return {
    accepts: (value: unknown): boolean => validator.Check(value),
    faults: (value: unknown, limit = 8): string[] =>
      validator
        .Errors(value)
        .slice(0, limit)
        .map(
          ({ instancePath, message }) =>
            `${instancePath.slice(1).replaceAll('/', '.') || 'value'}: ${message}`,
        ),
  };
}
