import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { PayloadFileSource } from './artifact-description.ts';
import { ArtifactError } from './errors.ts';
import { pieceBytes } from './limits.ts';
import { assertPayloadFileName } from './manifest.ts';
import type { TarFile } from './tar/write-tar.ts';

/** A payload file that has been read once: its checksum is known, and giving its content again checks that it is still the same. */
export interface HashedFile extends TarFile {
  readonly sha256: string;
}

/** Reads the whole file. Throws `ArtifactError` (unreadableInput, forbiddenName) and the signal's reason. */
export async function hashFile(
  source: PayloadFileSource,
  signal: AbortSignal | undefined,
): Promise<HashedFile> {
  const opened = 'path' in source ? await openPath(source.path, source.name) : source;
  const { name, sizeBytes } = opened;
  assertPayloadFileName(name, name);
  const hash = createHash('sha256');
  for await (const piece of sized(opened.open(), sizeBytes, name, signal)) hash.update(piece);
  const sha256 = hash.digest('hex');
  // Modes and owners of the machine it was made on say nothing about the device; devices do not look at them.
  return {
    name,
    sizeBytes,
    mode: 0o644,
    sha256,
    content: () => unchanged(opened.open(), sizeBytes, name, sha256, signal),
  };
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
    const open = () => createReadStream(path, { highWaterMark: pieceBytes }) as AsyncIterable<Uint8Array>;
    return { name: name ?? basename(path), sizeBytes: found.size, open };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ArtifactError('unreadableInput', `cannot be read to be packed: ${reason}`, {
      member: path,
      cause,
    });
  }
}

async function* unchanged(
  content: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  name: string,
  sha256: string,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  for await (const piece of sized(content, sizeBytes, name, signal)) {
    hash.update(piece);
    yield piece;
  }
  if (hash.digest('hex') !== sha256) throw changed(name);
}

async function* sized(
  content: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  name: string,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  let length = 0;
  for await (const piece of content) {
    signal?.throwIfAborted();
    length += piece.length;
    if (length > sizeBytes) throw changed(name);
    yield piece;
  }
  if (length !== sizeBytes) throw changed(name);
}

function changed(name: string): ArtifactError {
  return new ArtifactError(
    'unreadableInput',
    'it changed while it was being packed; write the artifact again',
    { member: name },
  );
}
