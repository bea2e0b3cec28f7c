import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { PayloadFileSource } from './artifact-description.ts';
import { ArtifactError } from './errors.ts';
import { fileContent } from './file-content.ts';
import { assertPayloadFileName } from './manifest.ts';
import type { TarFile } from './tar/write-tar.ts';

/**
 * A payload file ready to be packed. Its content is hashed as it goes by, so that what is packed is what the checksum is of; a piece of it
 * counts only until the next is asked for.
 */
export interface PayloadFileToPack extends TarFile {
  /** The SHA-256 of the content; undefined before it has been read to its end. */
  readonly sha256: () => string | undefined;
}

/** Looks at the file without reading it. Throws `ArtifactError` (unreadableInput, forbiddenName). */
export async function payloadFileToPack(
  source: PayloadFileSource,
  signal: AbortSignal | undefined,
): Promise<PayloadFileToPack> {
  const opened = 'path' in source ? await openPath(source.path, source.name) : source;
  const { name, sizeBytes } = opened;
  assertPayloadFileName(name, name);
  let sha256: string | undefined;
  async function* content(): AsyncIterable<Uint8Array> {
    const hash = createHash('sha256');
    let length = 0;
    for await (const piece of opened.open()) {
      signal?.throwIfAborted();
      length += piece.length;
      if (length > sizeBytes) throw changed(name);
      hash.update(piece);
      yield piece;
    }
    const found = hash.digest('hex');
    if (length !== sizeBytes || (sha256 !== undefined && sha256 !== found)) throw changed(name);
    sha256 = found;
  }
  // Modes and owners of the machine it was made on say nothing about the device; devices do not look at them.
  return { name, sizeBytes, mode: 0o644, content, sha256: () => sha256 };
}

interface OpenSource {
  readonly name: string;
  readonly sizeBytes: number;
  readonly open: () => AsyncIterable<Uint8Array>;
}

async function openPath(path: string, name: string | undefined): Promise<OpenSource> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Error('it is not a regular file');
    return { name: name ?? basename(path), sizeBytes: found.size, open: () => contentOf(path) };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function* contentOf(path: string): AsyncIterable<Uint8Array> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  yield* fileContent(file);
}

function unreadable(path: string, cause: unknown): ArtifactError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ArtifactError('unreadableInput', `cannot be read to be packed: ${reason}`, {
    member: path,
    cause,
  });
}

function changed(name: string): ArtifactError {
  return new ArtifactError(
    'unreadableInput',
    'it changed while it was being packed; write the artifact again',
    {
      member: name,
    },
  );
}
