import { Readable } from 'node:stream';
import { checker, type Endpoint, type RequestBody } from '@tandem/api';
import { ServerError } from '../server-error.ts';
import { readJson } from './read-json.ts';
import { readQuery } from './read-query.ts';

/** What is read of a request: the path and query as they were asked for, and what has come of the body. */
export interface ReceivedRequest {
  readonly params: unknown;
  readonly url: string;
  readonly body: unknown;
}

export type ReadRequest = (request: ReceivedRequest) => {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
};

/** Reads params, query and body of an endpoint, checked by its schemas, which are compiled once. Throws `badRequest`. */
export function readRequest(endpoint: Endpoint): ReadRequest {
  const checkParams = endpoint.params && checker(endpoint.params);
  const checkQuery = endpoint.query && checker(endpoint.query);
  const readBody = bodyReader(endpoint.body);
  const { query: querySchema } = endpoint;

  return ({ params, url, body }) => {
    assertAccepted('path', checkParams, params);
    const query = querySchema === undefined ? {} : readQuery(queryOf(url), querySchema);
    assertAccepted('query', checkQuery, query);
    return { params, query, body: readBody(body) };
  };
}

const queryOf = (url: string): URLSearchParams => {
  const mark = url.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
};

function bodyReader(body: RequestBody | undefined): (received: unknown) => unknown {
  switch (body?.kind) {
    case undefined:
      return () => undefined;
    case 'bytes':
      return (received) => (Buffer.isBuffer(received) ? received : Buffer.alloc(0));
    case 'multipart':
      return (received) => {
        if (received instanceof Readable) return received;
        throw new ServerError('badRequest', 'the request has no multipart body');
      };
    case 'json': {
      const check = checker(body.schema);
      return (received) => {
        if (received instanceof Readable) {
          throw new ServerError('unsupportedMediaType', "Bad Content-Type, expected 'application/json'");
        }
        const value = Buffer.isBuffer(received) ? readJson(received) : undefined;
        if (value === undefined && body.optional) return undefined;
        if (value === undefined) throw new ServerError('badRequest', 'api: malformed request body: EOF');
        assertAccepted('body', check, value);
        return value;
      };
    }
  }
}

function assertAccepted(where: string, check: ReturnType<typeof checker> | undefined, value: unknown): void {
  if (check === undefined || check.accepts(value)) return;
  throw new ServerError('badRequest', `invalid ${where}: ${check.faults(value).join('; ')}`);
}
