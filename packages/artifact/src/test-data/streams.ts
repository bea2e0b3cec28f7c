import { createHash } from 'node:crypto';
import type { Artifact, PayloadFile, ReadOptions } from '../artifact.ts';
import { readArtifact } from '../read-artifact.ts';

/** Bytes as a stream of pieces of a size that fits no structure inside, each gone once the next is asked for, as a source may do it. */
export async function* piecesOf(bytes: Uint8Array, pieceBytes = 1021): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = Buffer.from(bytes.subarray(at, at + pieceBytes));
    yield piece;
    piece.fill(0xa5);
  }
}

export async function gather(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export interface ReadFile extends Omit<PayloadFile, 'content'> {
  readonly bytes: Buffer;
}

/** Reads an artifact to its end. */
export async function readAll(
  bytes: Uint8Array,
  options: ReadOptions = {},
): Promise<{ artifact: Artifact; files: readonly ReadFile[] }> {
  const artifact = await readArtifact(piecesOf(bytes), options);
  const files: ReadFile[] = [];
  for await (const { content, ...facts } of artifact.files())
    files.push({ ...facts, bytes: await gather(content) });
  return { artifact, files };
}

/** Content that compresses about as well as a root file system, the same each time for a seed. */
export function noise(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed;
  for (let at = 0; at < sizeBytes; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Two of three bytes repeat what stood a little before.
    bytes[at] = state >>> 30 === 0 || at < 64 ? state >>> 24 : (bytes[at - 64] ?? 0);
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
