import type { IncomingMessage } from 'node:http';
import type { Clock, Log } from '../system/system.ts';
import { httpLimits, readBody, withoutQuery, type HttpLimits, type SendHttp } from './http-exchange.ts';
import { retryAfterMs } from './retry-after.ts';
import { ServerError } from './server-error.ts';

export interface DownloadOptions {
  readonly send: SendHttp;
  readonly clock: Clock;
  readonly log: Log;
  /** Attempts in a row that bring nothing, before giving up (RetryDownloadCount). */
  readonly attempts: number;
  /** No wait is longer (RetryPollIntervalSeconds), nor longer than a minute. */
  readonly longestWaitMs: number;
  /** Told the length of the whole once it is known. */
  readonly onLength?: (bytes: number) => void;
  readonly limits?: HttpLimits;
}

/** Waits before attempts to go on: 3 s, 12 s, 48 s, then 60 s each. */
const resumeWaits = { firstMs: 3_000, factor: 4, longestMs: 60_000 } as const;

/**
 * The bytes of an artifact. A connection that breaks off is taken up again where it ended, by Range (client contract 18), as
 * often as it takes while each attempt brings at least a byte; `attempts` in a row may bring none. The server must then answer
 * with exactly the bytes asked for, of the same whole, or the download ends.
 *
 * A server that cannot be reached at the first request, or is busy, is waited for in the same way.
 *
 * Throws `ServerError`: `refused` for another answer than 200 to the first request, `downloadFailed` after that.
 */
export async function* resumableDownload(
  uri: string,
  { send, clock, log, attempts, longestWaitMs, onLength, limits = httpLimits }: DownloadOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let totalBytes: number | undefined;
  let begun = false;
  let offset = 0;
  let fruitless = 0;
  for (;;) {
    try {
      const response = begun
        ? await rangeOf(uri, offset, totalBytes ?? 0, send, signal)
        : await wholeOf(uri, send, clock, signal);
      if (!begun) {
        totalBytes = lengthOf(response);
        if (totalBytes !== undefined) onLength?.(totalBytes);
      }
      begun = true;
      for await (const chunk of readBody(response, uri, signal, limits)) {
        offset += chunk.length;
        fruitless = 0;
        yield chunk;
      }
      if (totalBytes === undefined || offset === totalBytes) return;
      throw new ServerError(
        'unreachable',
        `The answer from ${withoutQuery(uri)} ended after ${offset} of ${totalBytes} bytes.`,
      );
    } catch (error) {
      if (signal.aborted || !(error instanceof ServerError) || error.code !== 'unreachable') throw error;
      // Without a length nothing can be asked for by range.
      if (begun && totalBytes === undefined) throw error;
      if (fruitless >= attempts) {
        throw new ServerError(
          'downloadFailed',
          `Giving up on resuming the download of ${withoutQuery(uri)} after ${attempts} attempts: ${error.message}`,
          { cause: error },
        );
      }
      const { firstMs, factor, longestMs } = resumeWaits;
      const waitMs = Math.min(firstMs * factor ** fruitless, longestMs, longestWaitMs);
      fruitless += 1;
      const where = totalBytes === undefined ? 'from the beginning' : `at byte ${offset} of ${totalBytes}`;
      log('warning', `${error.message} Resuming the download ${where} in ${waitMs / 1000} s.`);
      await clock.sleep(waitMs, signal);
    }
  }
}

async function wholeOf(
  uri: string,
  send: SendHttp,
  clock: Clock,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const response = await send({ method: 'GET', url: uri }, signal);
  if (response.statusCode === 200) return response;
  response.destroy();
  throw isBusy(response.statusCode ?? 0) ? busy(uri, response) : refused(response, uri, clock.now());
}

async function rangeOf(
  uri: string,
  offset: number,
  totalBytes: number,
  send: SendHttp,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const last = totalBytes - 1;
  const response = await send(
    { method: 'GET', url: uri, headers: { Range: `bytes=${offset}-${last}` } },
    signal,
  );
  const status = response.statusCode ?? 0;
  if (status === 206) {
    const fault = faultOfRange(response, offset, totalBytes);
    if (fault === undefined) return response;
    response.destroy();
    throw cannotResume(uri, offset, fault, status);
  }
  response.destroy();
  if (isBusy(status)) throw busy(uri, response);
  throw cannotResume(uri, offset, `the server answered ${status}`, status);
}

/** A server that is starting or overloaded is as good as not there for the moment; any other status is an answer. */
function isBusy(status: number): boolean {
  return status >= 500 || status === 429;
}

function busy(uri: string, { statusCode }: IncomingMessage): ServerError {
  return new ServerError('unreachable', `${withoutQuery(uri)} answered ${statusCode}.`, {
    status: statusCode,
  });
}

function cannotResume(uri: string, offset: number, reason: string, status: number): ServerError {
  const message = `Cannot resume the download of ${withoutQuery(uri)} at byte ${offset}: ${reason}.`;
  return new ServerError('downloadFailed', message, { status });
}

function faultOfRange(response: IncomingMessage, offset: number, totalBytes: number): string | undefined {
  const header = response.headers['content-range'] ?? '';
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header);
  const [, start, end, total] = match ?? [];
  const asAsked = Number(start) === offset && Number(end) === totalBytes - 1;
  if (match !== null && asAsked && (total === '*' || Number(total) === totalBytes)) return undefined;
  return `asked for bytes ${offset}-${totalBytes - 1}/${totalBytes}, the server gives "${header.slice(0, 100)}"`;
}

function lengthOf(response: IncomingMessage): number | undefined {
  const length = Number(response.headers['content-length'] ?? '0');
  return Number.isSafeInteger(length) && length > 0 ? length : undefined;
}

function refused(response: IncomingMessage, uri: string, nowMs: number): ServerError {
  const status = response.statusCode ?? 0;
  const redirected = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  return new ServerError(
    'refused',
    `Cannot download ${withoutQuery(uri)}: the server answered ${status}${redirected}.`,
    {
      status,
      retryAfterMs: retryAfterMs(response.headers['retry-after'], nowMs),
    },
  );
}
