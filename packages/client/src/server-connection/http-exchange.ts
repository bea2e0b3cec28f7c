import type { IncomingMessage } from 'node:http';
import { ClientError } from '../client-error.ts';
import { beginRequest, type HttpTrust } from './begin-request.ts';
import { clockFaultOf, type ClockState } from './clock-fault.ts';

export interface HttpLimits {
  /** To have a connection, TLS included. */
  readonly connectMs: number;
  /** From the request to the head of the answer. */
  readonly answerMs: number;
  /** Between two pieces of the answer's body. */
  readonly idleMs: number;
}

/** A connection that stalls, or whose other end has gone without a word, is noticed within these. */
export const httpLimits: HttpLimits = { connectMs: 60_000, answerMs: 300_000, idleMs: 60_000 };

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
}

export type SendHttp = (request: HttpRequest, signal: AbortSignal) => Promise<IncomingMessage>;

/**
 * Sends a request over a connection of its own, through a proxy where one is set, and gives the answer as soon as its head is
 * there. Redirects are not followed. Throws `ClientError` `unreachable` (with `retryAfterMs` when it is a matter of the clock), or the
 * signal's reason.
 */
export function sendHttp(
  trust: HttpTrust,
  userAgent: string,
  limits: HttpLimits = httpLimits,
  clockState?: () => Promise<ClockState>,
): SendHttp {
  const send = sendOnce(trust, userAgent, limits);
  return async (request, signal) => {
    try {
      return await send(request, signal);
    } catch (error) {
      throw (await withClockFault(error, request, clockState)) ?? error;
    }
  };
}

/** A certificate that does not fit the time is told as what it is, with a retry soon: the clock may be set at any moment. */
async function withClockFault(
  error: unknown,
  { method, url }: HttpRequest,
  clockState: (() => Promise<ClockState>) | undefined,
): Promise<ClientError | undefined> {
  if (!(error instanceof ClientError) || !(error.cause instanceof Error)) return undefined;
  const code = 'code' in error.cause ? error.cause.code : undefined;
  const fault = clockFaultOf(code, (await clockState?.()) ?? { now: NaN, synchronised: undefined });
  if (fault === undefined) return undefined;
  return new ClientError('unreachable', `Cannot ${method} ${withoutQuery(url)}: ${fault.reason}.`, {
    cause: error.cause,
    retryAfterMs: fault.retryAfterMs,
  });
}

function sendOnce(trust: HttpTrust, userAgent: string, limits: HttpLimits): SendHttp {
  return async ({ method, url, headers = {}, body }, signal) => {
    signal.throwIfAborted();
    const unreachable = (reason: string, cause?: unknown) =>
      new ClientError('unreachable', `Cannot ${method} ${withoutQuery(url)}: ${reason}.`, { cause });
    const head = {
      method,
      headers: {
        'User-Agent': userAgent,
        ...headers,
        ...(body === undefined ? {} : { 'Content-Length': String(body.length) }),
      },
    };
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const { outgoing, giveUp } = beginRequest(new URL(url), head, trust, () => clearTimeout(connecting));
      const connecting = setTimeout(() => {
        giveUp(unreachable(`no connection within ${limits.connectMs / 1000} s`));
      }, limits.connectMs);
      const answering = setTimeout(() => {
        giveUp(unreachable(`no answer within ${limits.answerMs / 1000} s`));
      }, limits.answerMs);
      const onAbort = () => giveUp(asError(signal.reason));
      signal.addEventListener('abort', onAbort, { once: true });
      const settled = () => {
        clearTimeout(connecting);
        clearTimeout(answering);
      };
      // Not `once`: an error may come after the answer's head, and then belongs to whoever reads the body.
      outgoing.on('error', (error) => {
        settled();
        signal.removeEventListener('abort', onAbort);
        reject(error instanceof ClientError || signal.aborted ? error : unreachable(reasonOf(error), error));
      });
      outgoing.once('response', (response) => {
        settled();
        response.once('close', () => {
          signal.removeEventListener('abort', onAbort);
        });
        resolve(response);
      });
      outgoing.end(body);
    });
  };
}

/** Sends a request and reads the whole answer, which may have at most `maxBodyBytes` and take at most `answerMs` behind its head. */
export async function exchange(
  send: SendHttp,
  request: HttpRequest,
  maxBodyBytes: number,
  signal: AbortSignal,
  limits: HttpLimits = httpLimits,
): Promise<HttpAnswer> {
  const response = await send(request, signal);
  const chunks: Uint8Array[] = [];
  let total = 0;
  // An answer that comes a byte now and then is never idle.
  const tooLate = setTimeout(() => {
    const reason = `it was not whole within ${limits.answerMs / 1000} s`;
    response.destroy(
      new ClientError('unreachable', `The answer from ${withoutQuery(request.url)} broke off: ${reason}.`),
    );
  }, limits.answerMs);
  try {
    for await (const chunk of readBody(response, request.url, signal, limits)) {
      total += chunk.length;
      if (total > maxBodyBytes) {
        throw new ClientError(
          'badAnswer',
          `Cannot use the answer to ${request.method} ${withoutQuery(request.url)}: it is longer than ${maxBodyBytes} bytes.`,
        );
      }
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(tooLate);
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

/**
 * The body of an answer, piece by piece. Throws `ClientError` `unreachable` when it breaks off, or when nothing comes for
 * `idleMs` (time the reader takes does not count), and the signal's reason when aborted.
 */
export async function* readBody(
  response: IncomingMessage,
  url: string,
  signal: AbortSignal,
  limits: HttpLimits = httpLimits,
): AsyncGenerator<Uint8Array> {
  const broken = (reason: string, cause?: unknown) =>
    new ClientError('unreachable', `The answer from ${withoutQuery(url)} broke off: ${reason}.`, { cause });
  let waiting = true;
  const idle = setTimeout(() => {
    if (waiting) response.destroy(broken(`nothing came for ${limits.idleMs / 1000} s`));
  }, limits.idleMs);
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      waiting = false;
      yield chunk;
      waiting = true;
      idle.refresh();
    }
  } catch (error) {
    if (signal.aborted) throw asError(signal.reason);
    throw error instanceof ClientError ? error : broken(reasonOf(error), error);
  } finally {
    clearTimeout(idle);
    response.destroy();
  }
}

/** The query of a download link is a secret; what is logged goes without it. */
export function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}

/** What answers then is a captive portal, a proxy's own page, or another server than the one meant. */
export const isWebPage = (headers: IncomingMessage['headers']): boolean =>
  /^(text\/html|application\/xhtml\+xml)\b/i.test(headers['content-type'] ?? '');
export const webPageHint =
  '; it is a web page: a captive portal or a proxy may be in between, or ServerURL may be of another server';

const hints: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'set ServerCertificate to the file of the certificate authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'set ServerCertificate to the file of the certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'set ServerCertificate to the file of the certificate authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'set ServerCertificate to the file of the certificate authority',
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const message = error.message === '' ? code : error.message;
  return hints[code] === undefined ? message : `${message} (${hints[code]})`;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
