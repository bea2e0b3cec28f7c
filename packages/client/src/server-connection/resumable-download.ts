import type { IncomingMessage } from 'node:http';
import { ClientError } from '../client-error.ts';
import type { Clock, Log } from '../system/system.ts';
import {
  differenceOf,
  identityOf,
  rangeGiven,
  versionOf,
  type ArtifactIdentity,
} from './artifact-identity.ts';
import {
  httpLimits,
  isWebPage,
  readBody,
  webPageHint,
  withoutQuery,
  type HttpLimits,
  type SendHttp,
} from './http-exchange.ts';
import { retryAfterMs } from './retry-after.ts';

export interface DownloadOptions {
  readonly send: SendHttp;
  readonly clock: Clock;
  readonly log: Log;
  /** Attempts in a row that bring nothing, before giving up (RetryDownloadCount). */
  readonly attempts: number;
  /** No wait is longer (RetryPollIntervalSeconds), nor longer than a minute. */
  readonly longestWaitMs: number;
  readonly limits?: HttpLimits;
}

/** What to fetch: an artifact as a whole, or what is missing of one that was begun before. */
export interface ArtifactRequest {
  readonly uri: string;
  /** Asks for another link to the same artifact when the server refuses this one. Without it, a refusal is the end. */
  readonly renew?: (signal: AbortSignal) => Promise<string>;
  readonly resume?: ArtifactRest | undefined;
  /** Told what the artifact is, as soon as the server has said its length. */
  readonly onIdentity?: (identity: ArtifactIdentity) => void;
}

/** The parts to fetch of an artifact that must be the same as then: its first bytes, and all from `from` on. */
export interface ArtifactRest {
  readonly identity: ArtifactIdentity;
  readonly headBytes: number;
  readonly from: number;
}

/** Waits before attempts to go on: 3 s, 12 s, 48 s, then 60 s each. */
const resumeWaits = { firstMs: 3_000, factor: 4, longestMs: 60_000 } as const;

/**
 * The least that must come in so much waiting for the network; a line that gives a byte now and then would otherwise keep a deployment for
 * years. Attempts that bring nothing are counted instead. What the reader takes its time for does not count.
 */
const slowest = { bytes: 256 * 1024, withinMs: 3_600_000 } as const;

/** Answers that a link gets which has expired or was withdrawn. */
const refusedLink: ReadonlySet<number | undefined> = new Set([401, 403, 404, 410]);

/**
 * The bytes of an artifact. A connection that breaks off is taken up again where it ended, by Range (client contract 18), as
 * often as it takes while each attempt brings at least a byte; `attempts` in a row may bring none. The server must then answer
 * with exactly the bytes asked for, of the same whole: same length, same ETag (or Last-Modified, where there is no ETag).
 *
 * A server that cannot be reached at the first request, or is busy, is waited for in the same way. A line that gives less than 256 KiB in
 * an hour is given up.
 *
 * Throws `ClientError`: `refused` for another answer than 200 to the first request, `artifactChanged` when the whole is not the one
 * that was begun, so that it can only be fetched from its first byte, and `downloadFailed` for anything else after that.
 */
export async function* resumableDownload(
  request: ArtifactRequest,
  options: DownloadOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const line = newLine(request, options);
  if (request.resume === undefined) {
    yield* span(line, 0, undefined, signal);
    return;
  }
  const { headBytes, from, identity } = request.resume;
  yield* span(line, 0, headBytes, signal);
  yield* span(line, from, identity.totalBytes, signal);
}

/** What is known of the artifact and of the server's patience, from one request to the next. */
interface Line {
  readonly request: ArtifactRequest;
  readonly options: DownloadOptions;
  uri: string;
  identity: ArtifactIdentity | undefined;
  /** Attempts in a row that brought nothing. */
  fruitless: number;
  /** A new link was asked for, and nothing has come by it yet. */
  renewed: boolean;
  /** Since `slowest.bytes` had come last: how much has, and how long was waited for it. */
  readonly pace: { bytes: number; waitedMs: number };
}

const newLine = (request: ArtifactRequest, options: DownloadOptions): Line => ({
  request,
  options,
  uri: request.uri,
  identity: request.resume?.identity,
  fruitless: 0,
  renewed: false,
  pace: { bytes: 0, waitedMs: 0 },
});

/** The bytes from `begin` up to `end`; undefined: all there are. */
async function* span(
  line: Line,
  begin: number,
  end: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { clock, limits = httpLimits } = line.options;
  let offset = begin;
  let begun = false;
  for (;;) {
    try {
      let waitsSince = clock.now();
      const response = await answer(line, offset, end, signal);
      begun = true;
      for await (const chunk of readBody(response, line.uri, signal, limits)) {
        const last = end ?? line.identity?.totalBytes ?? Infinity;
        if (chunk.length > last - offset) throw tooMuch(line.uri, last);
        // No wait was longer than that; it is the clock that was set.
        const waitedMs = Math.min(Math.max(clock.now() - waitsSince, 0), limits.connectMs + limits.answerMs);
        assertPace(line, chunk.length, waitedMs);
        offset += chunk.length;
        line.fruitless = 0;
        line.renewed = false;
        yield chunk;
        waitsSince = clock.now();
      }
      const last = end ?? line.identity?.totalBytes;
      if (last === undefined || offset === last) return;
      throw new ClientError(
        'unreachable',
        `The answer from ${withoutQuery(line.uri)} ended after ${offset} of ${last} bytes.`,
      );
    } catch (error) {
      if (signal.aborted || !(error instanceof ClientError) || error.code !== 'unreachable') throw error;
      // Without a length nothing can be asked for by range.
      if (begun && line.identity === undefined) throw error;
      await waitToGoOn(line, offset, error, signal);
    }
  }
}

async function waitToGoOn(line: Line, offset: number, error: ClientError, signal: AbortSignal) {
  const { attempts, longestWaitMs, log, clock } = line.options;
  if (line.fruitless >= attempts) {
    throw new ClientError(
      'downloadFailed',
      `Giving up on resuming the download of ${withoutQuery(line.uri)} after ${attempts} attempts: ${error.message}`,
      { cause: error },
    );
  }
  const { firstMs, factor, longestMs } = resumeWaits;
  const waitMs = Math.min(firstMs * factor ** line.fruitless, longestMs, longestWaitMs);
  if (line.fruitless === 0) line.pace.waitedMs += waitMs;
  line.fruitless += 1;
  const where =
    line.identity === undefined ? 'from the beginning' : `at byte ${offset} of ${line.identity.totalBytes}`;
  log('warning', `${error.message} Resuming the download ${where} in ${waitMs / 1000} s.`);
  await clock.sleep(waitMs, signal);
}

/** Counts what has come; throws `downloadFailed` when that is too little for the time. */
function assertPace({ pace, uri }: Line, bytes: number, waitedMs: number): void {
  pace.bytes += bytes;
  pace.waitedMs += waitedMs;
  if (pace.bytes >= slowest.bytes) Object.assign(pace, { bytes: 0, waitedMs: 0 });
  else if (pace.waitedMs > slowest.withinMs) {
    throw new ClientError(
      'downloadFailed',
      `Giving up on the download of ${withoutQuery(uri)}: no more than ${pace.bytes} bytes came in an hour.`,
    );
  }
}

/** An answer whose body is the bytes from `offset` up to `end` of the artifact that was begun. */
async function answer(
  line: Line,
  offset: number,
  end: number | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { send } = line.options;
  for (;;) {
    const { identity, uri } = line;
    const response = await send(
      { method: 'GET', url: uri, headers: rangeHeaders(identity, offset, end) },
      signal,
    );
    const status = response.statusCode ?? 0;
    if (status === 200 && identity === undefined) {
      if (isWebPage(response.headers)) {
        response.destroy();
        throw new ClientError(
          'badAnswer',
          `Cannot download ${withoutQuery(uri)}: the answer is not an artifact${webPageHint}.`,
        );
      }
      line.identity = identityOf(response);
      if (line.identity !== undefined) line.request.onIdentity?.(line.identity);
      return response;
    }
    const fault = faultOf(response, identity, offset, end);
    if (fault === undefined) return response;
    response.destroy();
    if (isBusy(status)) throw busy(uri, response);
    if (line.request.renew !== undefined && !line.renewed && refusedLink.has(status)) {
      line.options.log(
        'info',
        `The link to the artifact is not valid any more (${status}); asking for a new one.`,
      );
      line.uri = await line.request.renew(signal);
      line.renewed = true;
      continue;
    }
    throw identity === undefined
      ? refused(response, uri, line.options.clock.now())
      : new ClientError(
          fault.changed ? 'artifactChanged' : 'downloadFailed',
          `Cannot resume the download of ${withoutQuery(uri)} at byte ${offset}: ${fault.reason}.`,
          { status },
        );
  }
}

function tooMuch(uri: string, last: number): ClientError {
  return new ClientError(
    'downloadFailed',
    `Cannot use the answer from ${withoutQuery(uri)}: it goes on behind byte ${last}, which is its last.`,
  );
}

function rangeHeaders(
  identity: ArtifactIdentity | undefined,
  offset: number,
  end: number | undefined,
): Readonly<Record<string, string>> {
  if (identity === undefined) return {};
  const { etag } = identity;
  return {
    Range: `bytes=${offset}-${(end ?? identity.totalBytes) - 1}`,
    // Only a strong one can vouch for bytes (RFC 9110, 13.1.5).
    ...(etag === undefined || etag.startsWith('W/') ? {} : { 'If-Range': etag }),
  };
}

/** Why an answer is not the one asked for; `changed` when the whole is another than the one that was begun. */
function faultOf(
  response: IncomingMessage,
  identity: ArtifactIdentity | undefined,
  offset: number,
  end: number | undefined,
): { readonly reason: string; readonly changed: boolean } | undefined {
  const status = response.statusCode ?? 0;
  const plain = { reason: `the server answered ${status}`, changed: false };
  if (identity === undefined) return plain;
  if (status === 200) {
    const difference = differenceOf(identity, identityOf(response));
    return difference === undefined ? plain : { reason: difference, changed: true };
  }
  const given = rangeGiven(response);
  if (status === 416 && given?.totalBytes !== undefined && given.totalBytes !== identity.totalBytes) {
    return { reason: `it has ${given.totalBytes} bytes now, not ${identity.totalBytes}`, changed: true };
  }
  if (status !== 206) return plain;
  const difference = differenceOf(identity, {
    ...versionOf(response),
    totalBytes: given?.totalBytes ?? identity.totalBytes,
  });
  if (difference !== undefined) return { reason: difference, changed: true };
  const last = (end ?? identity.totalBytes) - 1;
  if (given?.first === offset && given.last === last) return undefined;
  const header = (response.headers['content-range'] ?? '').slice(0, 100);
  const wanted = `${offset}-${last}/${identity.totalBytes}`;
  return { reason: `asked for bytes ${wanted}, the server gives "${header}"`, changed: false };
}

/** A server that is starting or overloaded is as good as not there for the moment; any other status is an answer. */
function isBusy(status: number): boolean {
  return status >= 500 || status === 429;
}

function busy(uri: string, { statusCode }: IncomingMessage): ClientError {
  return new ClientError('unreachable', `${withoutQuery(uri)} answered ${statusCode}.`, {
    status: statusCode,
  });
}

function refused(response: IncomingMessage, uri: string, nowMs: number): ClientError {
  const status = response.statusCode ?? 0;
  const redirected = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  return new ClientError(
    'refused',
    `Cannot download ${withoutQuery(uri)}: the server answered ${status}${redirected}.`,
    {
      status,
      retryAfterMs: retryAfterMs(response.headers['retry-after'], nowMs),
    },
  );
}
