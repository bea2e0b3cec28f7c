import { ServerError } from '../server-error.ts';

const maxHeaderLength = 2048;

/** E-mail and password out of `Authorization: Basic`. Throws `unauthorized`. */
export function basicCredentials(header: string | undefined): { email: string; password: string } {
  const [scheme = '', encoded = '', ...rest] = (header ?? '').split(' ');
  const decoded = Buffer.from(encoded, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (
    (header ?? '').length > maxHeaderLength ||
    scheme.toLowerCase() !== 'basic' ||
    rest.length > 0 ||
    colon < 1
  ) {
    throw new ServerError('unauthorized', 'invalid or missing auth header');
  }
  return { email: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
