import { createHash } from 'node:crypto';
import type { Log } from '../system/system.ts';
import { openInTime, type OpenFile, type OpenedFile } from '../system/open-in-time.ts';
import { alignedBuffers, openPastCache } from '../system/past-cache.ts';

/**
 * SHA-256 of the first `sizeBytes` of a file or device as the medium itself holds them, not the kernel's memory of them: read
 * with O_DIRECT. File systems that refuse that (tmpfs, some overlays) are read as usual, and the log says so.
 */
export async function sha256ReadBack(
  path: string,
  sizeBytes: number,
  log: Log,
  signal: AbortSignal,
  open: OpenFile = openInTime(),
): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of readBack(path, sizeBytes, log, signal, open)) hash.update(piece);
  return hash.digest('hex');
}

/** The bytes themselves, read in the same way. A piece is overwritten once the next is asked for. */
export async function* readBack(
  path: string,
  sizeBytes: number,
  log: Log,
  signal: AbortSignal,
  open: OpenFile = openInTime(),
): AsyncGenerator<Uint8Array, void, undefined> {
  if (sizeBytes === 0) return;
  const refused = () =>
    log(
      'info',
      `${path} cannot be read past the kernel's cache; what was written is checked through the cache.`,
    );
  const file = await openPastCache(path, 'r', open, refused);
  try {
    yield* pieces(file, path, sizeBytes, signal);
  } finally {
    await file.close();
  }
}

async function* pieces(
  file: OpenedFile,
  path: string,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let [piece, spare] = alignedBuffers(2) as readonly [Buffer, Buffer];
  const readPiece = (into: Buffer, position: number) => {
    const reading = file.read(into, 0, into.length, position);
    // Awaited when its turn comes, unless the work is called off first.
    reading.catch(() => undefined);
    return reading;
  };
  let reading = readPiece(piece, 0);
  for (let position = 0; position < sizeBytes; position += piece.length) {
    signal.throwIfAborted();
    const { bytesRead } = await reading;
    const wanted = Math.min(piece.length, sizeBytes - position);
    // Only the last piece may be short: what follows another would not stand at a whole piece, and be read through the cache.
    if (bytesRead < wanted)
      throw new Error(`${path} ends after ${position + bytesRead} of ${sizeBytes} bytes.`);
    // The next piece is on its way while this one is hashed.
    if (position + wanted < sizeBytes) reading = readPiece(spare, position + piece.length);
    yield piece.subarray(0, wanted);
    [piece, spare] = [spare, piece];
  }
}
