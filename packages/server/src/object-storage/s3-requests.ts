import { createHash } from 'node:crypto';
import { once as eventOf } from 'node:events';
import { request as requestPlainly, type IncomingMessage } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { AwsV4Signer } from 'aws4fetch';
import type { Clock } from '../clock.ts';
import { ObjectStorageError, type ObjectStorageErrorCode } from './object-storage.ts';
import { s3Url, type S3Location } from './s3-location.ts';
import { textOf } from './s3-xml.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of credentials that were lent for a while. */
  readonly sessionToken: string | undefined;
}

export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Of the object; undefined for the bucket. */
  readonly name?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface S3Response {
  readonly status: number;
  readonly isSuccess: boolean;
  readonly headers: Headers;
  /** Must be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

export type S3Requests = ReturnType<typeof s3Requests>;

/** How long an answer may take to begin, and to come after a part of an upload that is sent before it. */
const answerTimeoutMs = { withoutBody: 30_000, withBody: 300_000 };
const standstillMs = 300_000;
const maxAttempts = 5;
const firstWaitMs = 100;
const maxTextBytes = 4 * 1024 ** 2;

/** What a status or a code of S3 means to us; anything else that is no success is `refused`. */
const meanings: Readonly<Record<string, ObjectStorageErrorCode>> = {
  '507': 'full',
  QuotaExceeded: 'full',
  XMinioStorageFull: 'full',
  NoSuchKey: 'unreadable',
  NoSuchUpload: 'unreadable',
  PreconditionFailed: 'unreadable',
  InvalidRange: 'unreadable',
};

/**
 * Signed requests to a bucket (AWS Signature Version 4, of aws4fetch). The SHA-256 of every body is signed and sent, so that what
 * was damaged on the way is refused there. What fails for a moment is asked again, at most five times.
 */
export function s3Requests(location: S3Location, credentials: S3Credentials, clock: Clock) {
  const once = async ({ method, name, query, headers, body, signal }: S3Request): Promise<S3Response> => {
    const url = s3Url(location, name);
    for (const [key, value] of Object.entries(query ?? {})) url.searchParams.set(key, value);
    const signed = await new AwsV4Signer({
      ...signing(credentials, location, clock()),
      method,
      url: url.href,
      headers: {
        ...headers,
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
      },
    }).sign();
    const patience = new AbortController();
    const limitMs = answerTimeoutMs[body === undefined ? 'withoutBody' : 'withBody'];
    const timeout = setTimeout(() => patience.abort(new Error('no answer in time')), limitMs);
    try {
      return await exchange(signed.url, {
        method,
        headers: signed.headers,
        body,
        signal: AbortSignal.any([patience.signal, ...(signal === undefined ? [] : [signal])]),
      });
    } finally {
      clearTimeout(timeout);
    }
  };

  /** The answer with its body unread; whatever its status is. Throws `unreachable`, and what the signal aborts with. */
  const ask = async (request: S3Request): Promise<S3Response> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await once(request);
        if (!isPassing(response.status) || attempt === maxAttempts) return response;
        response.body.destroy();
      } catch (cause) {
        request.signal?.throwIfAborted();
        if (cause instanceof ObjectStorageError) throw cause;
        if (attempt === maxAttempts) {
          throw new ObjectStorageError(
            'unreachable',
            `${describe(request, location)}: no answer in ${maxAttempts} attempts; see that ${location.endpoint} can be reached`,
            { cause },
          );
        }
      }
      await wait(Math.random() * firstWaitMs * 2 ** attempt, undefined, { signal: request.signal });
    }
  };

  return {
    ask,

    /** The body of a success as text. Throws ObjectStorageError for anything else, also for an error that came as a success. */
    text: async (request: S3Request): Promise<string> => {
      const response = await ask(request);
      const text = await boundedText(response);
      if (!response.isSuccess || /<Error>/.test(text))
        throw failure(request, location, response.status, text);
      return text;
    },

    /** The headers of a success, undefined for a 404. Throws ObjectStorageError for anything else. */
    headers: async (request: S3Request): Promise<Headers | undefined> => {
      const response = await ask(request);
      const text = await boundedText(response);
      if (response.status === 404 && textOf(text, 'Code') !== 'NoSuchBucket') return undefined;
      if (!response.isSuccess) throw failure(request, location, response.status, text);
      return response.headers;
    },

    /** For an answer that was not what was asked for. */
    failure: async (request: S3Request, response: S3Response): Promise<ObjectStorageError> =>
      failure(request, location, response.status, await boundedText(response)),
  };
}

/** Not `fetch`: it copies every body, and a part of an upload is large. */
async function exchange(
  url: URL,
  { method, headers, body, signal }: Pick<S3Request, 'method' | 'body' | 'signal'> & { headers: Headers },
): Promise<S3Response> {
  const send = url.protocol === 'https:' ? requestSecurely : requestPlainly;
  const outgoing = send(url, { method, headers: Object.fromEntries(headers), signal, timeout: standstillMs });
  outgoing.on('timeout', () => outgoing.destroy(new Error('the connection stood still')));
  outgoing.end(body);
  const [incoming] = (await eventOf(outgoing, 'response')) as [IncomingMessage];
  // Whoever reads the answer learns of it there.
  outgoing.on('error', () => undefined);
  const { statusCode: status = 0 } = incoming;
  const given = Object.entries(incoming.headers).map(
    ([name, value]) => [name, String(value)] as [string, string],
  );
  return { status, isSuccess: status >= 200 && status < 300, headers: new Headers(given), body: incoming };
}

/** A link that needs no header but that of the host. */
export async function presignedUrl(
  location: S3Location,
  credentials: S3Credentials,
  { method, name, query }: { method: 'GET' | 'PUT'; name: string; query: Readonly<Record<string, string>> },
  valid: { readonly from: number; readonly forSeconds: number },
): Promise<string> {
  const url = s3Url(location, name, location.publicEndpoint);
  const parameters = { ...query, 'X-Amz-Expires': String(valid.forSeconds) };
  for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
  const signed = await new AwsV4Signer({
    ...signing(credentials, location, valid.from),
    method,
    url: url.href,
    signQuery: true,
  }).sign();
  return signed.url.href;
}

const signing = (
  { accessKeyId, secretAccessKey, sessionToken }: S3Credentials,
  { region }: S3Location,
  time: number,
) => ({
  accessKeyId,
  secretAccessKey,
  ...(sessionToken === undefined ? {} : { sessionToken }),
  service: 's3',
  region,
  datetime: new Date(time).toISOString().replaceAll(/[:-]|\.\d{3}/g, ''),
});

const isPassing = (status: number): boolean => [429, 500, 502, 503, 504].includes(status);

function failure(request: S3Request, location: S3Location, status: number, xml: string): ObjectStorageError {
  const code = textOf(xml, 'Code');
  const said = [code, textOf(xml, 'Message')].filter((part) => part !== undefined).join(': ');
  const meaning =
    meanings[code ?? ''] ?? meanings[String(status)] ?? (isPassing(status) ? 'unreachable' : 'refused');
  return new ObjectStorageError(meaning, `${describe(request, location)}: ${status} ${said}`.trim());
}

/** Without the query: what is secret may stand there. */
const describe = ({ method, name }: S3Request, { bucket }: S3Location): string =>
  `${method} s3://${bucket}/${name ?? ''}`;

async function boundedText({ body }: S3Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  // A stream that nobody decodes yields bytes.
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    length += piece.length;
    if (length > maxTextBytes)
      throw new ObjectStorageError('unreachable', 'an answer of the storage is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
