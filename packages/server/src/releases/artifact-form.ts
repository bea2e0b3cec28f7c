import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { finished, type Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { ServerError } from '../server-error.ts';

/** The form of an upload, up to where the artifact begins (server contract 4.2). */
export interface ArtifactForm {
  readonly description: string;
  /** As announced; undefined when the sender did not say. */
  readonly sizeBytes: number | undefined;
  readonly artifactId: string | undefined;
  /** The artifact as it comes in; throws when the request breaks off. */
  readonly artifact: AsyncIterable<Uint8Array>;
}

const fieldNames = ['description', 'size', 'artifact_id'] as const;
type FieldName = (typeof fieldNames)[number];

const limits = {
  fieldSize: 1024 ** 2,
  fields: 64,
  files: 64,
  parts: 64,
  headerPairs: 64,
  headerSize: 16_384,
};
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Reads a multipart body until its artifact begins: fields first, the artifact last; names in any case; unknown parts are ignored.
 * Throws `badRequest`.
 */
export async function readArtifactForm(body: Readable, headers: IncomingHttpHeaders): Promise<ArtifactForm> {
  const fields = new Map<FieldName, string>();
  const parser = openParser(headers);
  const found = Promise.withResolvers<Readable>();
  // The promise may be settled after nobody waits any more.
  found.promise.catch(() => undefined);
  let artifact: Readable | undefined;

  const fail = (error: Error) => {
    found.reject(error);
    artifact?.destroy(error);
  };
  parser.on('field', (name, value, _nameTruncated, valueTruncated) => {
    const field = fieldNames.find((one) => one === name.toLowerCase());
    if (artifact !== undefined || field === undefined) return;
    if (valueTruncated) fail(new ServerError('badRequest', `the ${field} of the artifact is too long`));
    fields.set(field, value);
  });
  parser.on('file', (name, stream) => {
    if (artifact !== undefined || name?.toLowerCase() !== 'artifact') {
      stream.on('error', () => undefined).resume();
      return;
    }
    artifact = stream;
    // It may fail before anybody reads it.
    stream.on('error', () => undefined);
    found.resolve(stream);
  });
  parser.on('finish', () =>
    fail(new ServerError('badRequest', 'request does not contain the artifact file')),
  );
  parser.on('error', (cause) => fail(brokenForm(cause)));
  finished(body, (error) => {
    if (error) fail(new ServerError('badRequest', 'unexpected EOF', { cause: error }));
  });
  body.pipe(parser);

  try {
    const stream = await found.promise;
    return { ...checkedFields(fields), artifact: bytesOf(stream) };
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
function openParser(headers: IncomingHttpHeaders) {
  const contentType = (headers['content-type'] ?? '').replace(/^\s*multipart\/mixed/i, 'multipart/form-data');
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': contentType },
      limits,
      isPartAFile: (name, _contentType, fileName) =>
        name?.toLowerCase() === 'artifact' ||
        (fileName !== undefined && !fieldNames.some((field) => field === name?.toLowerCase())),
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

function checkedFields(fields: ReadonlyMap<FieldName, string>) {
  const size = fields.get('size')?.trim();
  const artifactId = fields.get('artifact_id')?.trim();
  if (size !== undefined && !/^[0-9]{1,15}$/.test(size)) {
    throw new ServerError('badRequest', 'the size of the artifact is not a decimal number of bytes');
  }
  if (artifactId !== undefined && artifactId !== '' && !uuid.test(artifactId)) {
    throw new ServerError('badRequest', 'artifact_id is not a valid UUID');
  }
  return {
    description: fields.get('description') ?? '',
    sizeBytes: size === undefined ? undefined : Number(size),
    artifactId: artifactId === undefined || artifactId === '' ? undefined : artifactId.toLowerCase(),
  };
}

async function* bytesOf(stream: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    // A stream that nobody decodes yields bytes.
    yield chunk as Uint8Array;
  }
}
