import type { TSchema } from 'typebox';
import { pathParameters, type Endpoint, type RequestBody, type ResponseBody } from './endpoint.ts';
import { ErrorBody } from './errors.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const statusTexts: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created, at the Location given',
  202: 'Accepted',
  204: 'Done',
  206: 'The range that was asked for',
  400: 'The request is malformed',
  401: 'No token, or one that does not count here',
  403: 'Not allowed',
  404: 'There is no such thing',
  405: 'Not with this method',
  409: 'In conflict with what is there',
  412: 'Changed since it was read',
  413: 'Too large',
  415: 'Not with this content type',
  416: 'No such range',
  422: 'Well formed, but not possible',
  429: 'Too many requests; see Retry-After',
  500: 'Our fault; the log has more under the request id',
  503: 'Not now',
  507: 'No space left; nothing was stored',
};

const securityOf = {
  user: [{ userToken: [] }],
  device: [{ deviceToken: [] }],
  internal: [{ internalToken: [] }],
  none: [],
} as const;

/** The OpenAPI 3.1 document of the endpoints, in the order of their paths. */
export function openApiDocument(endpoints: readonly Endpoint[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  const ordered = endpoints.toSorted((a, b) => compare(a.path, b.path) || compare(a.method, b.method));
  for (const endpoint of ordered) {
    (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tandem',
      version,
      description: 'Over-the-air software update for embedded Linux, wire-compatible with Mender.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [...new Set(ordered.map(({ tag }) => tag))].toSorted().map((name) => ({ name })),
    paths,
    components: {
      schemas: { Error: plain(ErrorBody) },
      securitySchemes: {
        userToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        deviceToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        internalToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
      },
    },
  };
}

function operation(endpoint: Endpoint): Json {
  const { id, tag, summary, audience, permission, auditAction, aliases, body, responses, errors } = endpoint;
  return {
    operationId: id,
    tags: [tag],
    summary,
    security: [...securityOf[audience]],
    ...(permission === null ? {} : { 'x-permission': permission }),
    ...(auditAction === null ? {} : { 'x-audit-action': auditAction }),
    ...(aliases === undefined ? {} : { 'x-aliases': [...aliases] }),
    ...parametersOf(endpoint),
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(responses).map(([status, declared]) => [status, response(status, declared)]),
      ),
      ...Object.fromEntries(
        errors.map((status) => [
          String(status),
          {
            description: statusText(status),
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
          },
        ]),
      ),
    },
  };
}

function parametersOf({ path, params, query }: Endpoint): { parameters?: Json } {
  const schemaOf = (name: string) => params?.properties[name];
  const inPath = pathParameters(path).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: plain(schemaOf(name) ?? {}),
  }));
  const required: readonly string[] = query?.required ?? [];
  const inQuery = Object.entries(query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: plain(schema),
  }));
  return inPath.length + inQuery.length === 0 ? {} : { parameters: [...inPath, ...inQuery] };
}

function requestBody(body: RequestBody): Json {
  switch (body.kind) {
    case 'json':
      return { required: !body.optional, content: { 'application/json': { schema: plain(body.schema) } } };
    case 'bytes':
      return { required: true, content: { 'application/json': { schema: plain(body.schema) } } };
    case 'multipart':
      return { required: true, content: { 'multipart/form-data': { schema: plain(body.fields) } } };
  }
}

function response(status: string, declared: ResponseBody | undefined): Json {
  const description = statusText(Number(status));
  switch (declared?.kind) {
    case undefined:
    case 'empty':
      return { description };
    case 'json':
      return { description, content: { 'application/json': { schema: plain(declared.schema) } } };
    case 'text':
      return { description, content: { [declared.contentType]: { schema: { type: 'string' } } } };
    case 'stream':
      return {
        description,
        content: { [declared.contentType]: { schema: { type: 'string', format: 'binary' } } },
      };
  }
}

const statusText = (status: number): string => statusTexts[status] ?? String(status);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A schema without what TypeBox keeps in hidden properties. */
const plain = (schema: TSchema): Json => JSON.parse(JSON.stringify(schema)) as Json;
