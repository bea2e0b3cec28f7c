import type { IncomingHttpHeaders } from 'node:http';
import { ServerError } from '../server-error.ts';

const challenge = { 'www-authenticate': 'Bearer realm="ManagementJWT"' };
const maxTokenLength = 16_384;

/**
 * The token of a request (server contract 1.4): from `Authorization: Bearer`, or from the cookie `JWT` when there is no such
 * header. A cookie counts for GET alone: a foreign page can make a browser send it.
 * Throws `unauthorized`.
 */
export function bearerToken(headers: IncomingHttpHeaders, method: string): string {
  const { authorization } = headers;
  if (authorization === undefined) {
    const fromCookie = method === 'GET' ? cookie(headers.cookie ?? '', 'JWT') : undefined;
    if (fromCookie === undefined) throw refused('Authorization not present in header');
    return bounded(fromCookie);
  }
  const space = authorization.indexOf(' ');
  const token = authorization.slice(space + 1);
  if (space < 1 || token === '' || token.includes(' ')) throw refused('malformed Authorization header');
  if (authorization.slice(0, space).toLowerCase() !== 'bearer') throw refused('unknown Authorization method');
  return bounded(token);
}

/** 401 without a body, as the reference's token check answers. */
export const tokenRefused = (): ServerError =>
  new ServerError('unauthorized', 'the token does not count (any more)', {
    emptyBody: true,
    headers: challenge,
  });

const refused = (message: string) => new ServerError('unauthorized', message, { headers: challenge });

function bounded(token: string): string {
  if (token.length > maxTokenLength) throw refused('identity: incorrect token format');
  return token;
}

const cookie = (header: string, name: string): string | undefined =>
  header
    .split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
