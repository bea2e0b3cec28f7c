import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { finished, type Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { ServerError } from '../server-error.ts';

/** What a form that ends with a file is made of. */
export interface FormParts<Field extends string> {
  readonly fields: readonly Field[];
  /** The part that is the file. */
  readonly file: string;
  /** What is said when there is no such part. */
  readonly missing: string;
}

/** A form up to where its file begins. */
export interface FileForm<Field extends string> {
  readonly fields: ReadonlyMap<Field, string>;
  /** The file as it comes in; throws when the request breaks off. */
  readonly content: AsyncIterable<Uint8Array>;
}

const limits = {
  fieldSize: 1024 ** 2,
  fields: 64,
  files: 64,
  parts: 64,
  headerPairs: 64,
  headerSize: 16_384,
};

/**
 * Reads a multipart body until its file begins: fields first, the file last; names in any case; unknown parts are ignored.
 * Throws `badRequest`.
 */
export async function readFileForm<const Field extends string>(
  body: Readable,
  headers: IncomingHttpHeaders,
  parts: FormParts<Field>,
): Promise<FileForm<Field>> {
  const fields = new Map<Field, string>();
  const parser = openParser(headers, parts);
  const found = Promise.withResolvers<Readable>();
  // The promise may be settled after nobody waits any more.
  found.promise.catch(() => undefined);
  let file: Readable | undefined;

  const fail = (error: Error) => {
    found.reject(error);
    file?.destroy(error);
  };
  parser.on('field', (name, value, _nameTruncated, valueTruncated) => {
    const field = parts.fields.find((one) => one === name.toLowerCase());
    if (file !== undefined || field === undefined) return;
    if (valueTruncated) fail(new ServerError('badRequest', `the ${field} of the ${parts.file} is too long`));
    fields.set(field, value);
  });
  parser.on('file', (name, stream) => {
    if (file !== undefined || name?.toLowerCase() !== parts.file) {
      stream.on('error', () => undefined).resume();
      return;
    }
    file = stream;
    // It may fail before anybody reads it.
    stream.on('error', () => undefined);
    found.resolve(stream);
  });
  parser.on('finish', () => fail(new ServerError('badRequest', parts.missing)));
  parser.on('error', (cause) => fail(brokenForm(cause)));
  finished(body, (error) => {
    if (error) fail(new ServerError('badRequest', 'unexpected EOF', { cause: error }));
  });
  body.pipe(parser);

  try {
    const stream = await found.promise;
    return { fields, content: bytesOf(stream) };
  } catch (error) {
    stopReading(body);
    throw error;
  }
}

/**
 * Lets the rest of a refused request flow away, so that its sender reads the answer instead of a broken connection; but not for
 * ever. To be called before the refusal is answered.
 */
export async function drain(
  body: Readable,
  limit = { bytes: 256 * 1024 ** 2, milliseconds: 10_000 },
): Promise<void> {
  stopReading(body);
  if (body.readableEnded || body.destroyed) return;
  let left = limit.bytes;
  const enough = new AbortController();
  const timeout = setTimeout(() => enough.abort(), limit.milliseconds);
  const count = (chunk: Uint8Array) => {
    left -= chunk.length;
    if (left < 0) enough.abort();
  };
  body.on('data', count);
  try {
    await once(body, 'close', { signal: enough.signal });
  } catch {
    // Long enough, or broken off: either way the answer is given now.
  } finally {
    clearTimeout(timeout);
    body.off('data', count);
  }
}

function stopReading(body: Readable): void {
  body.unpipe();
  body.on('error', () => undefined);
  body.resume();
}

// The parser knows form-data alone; mixed has the same parts (server contract 1.3).
function openParser(headers: IncomingHttpHeaders, { file, fields }: FormParts<string>) {
  const contentType = (headers['content-type'] ?? '').replace(/^\s*multipart\/mixed/i, 'multipart/form-data');
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': contentType },
      limits,
      isPartAFile: (name, _contentType, fileName) =>
        name?.toLowerCase() === file ||
        (fileName !== undefined && !fields.some((field) => field === name?.toLowerCase())),
    });
  } catch (cause) {
    throw brokenForm(cause);
  }
}

const brokenForm = (cause: unknown): ServerError =>
  new ServerError(
    'badRequest',
    `reading the multipart form: ${cause instanceof Error ? cause.message : String(cause)}`,
    {
      cause,
    },
  );

async function* bytesOf(stream: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    // A stream that nobody decodes yields bytes.
    yield chunk as Uint8Array;
  }
}
