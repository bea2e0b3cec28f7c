import type { IncomingHttpHeaders } from 'node:http';
import { ServerError } from '../server-error.ts';

/**
 * The content-type rule of JSON endpoints (server contract 1.3): it holds when a body's length is announced; clients that send
 * in chunks are not asked. Throws `badRequest` for a missing header, `unsupportedMediaType` for another type.
 */
export function assertJsonContentType(headers: IncomingHttpHeaders): void {
  if (!(Number(headers['content-length'] ?? 0) > 0)) return;
  const mediaType = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (mediaType === undefined || mediaType === '') {
    throw new ServerError('badRequest', 'Invalid value for Content-Type header: mime: no media type');
  }
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(mediaType)) {
    throw new ServerError(
      'badRequest',
      'Invalid value for Content-Type header: mime: expected token after slash',
    );
  }
  if (mediaType !== 'application/json') {
    throw new ServerError('unsupportedMediaType', "Bad Content-Type, expected 'application/json'");
  }
}

export function assertMultipartContentType(headers: IncomingHttpHeaders): void {
  const mediaType = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (mediaType !== 'multipart/form-data' && mediaType !== 'multipart/mixed') {
    throw new ServerError('badRequest', 'Bad Content-Type, expected multipart/form-data or multipart/mixed');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Bytes as JSON; `undefined` for no bytes at all. Throws `badRequest`. */
export function readJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ServerError('badRequest', `api: malformed request body: ${reason}`, { cause });
  }
}
