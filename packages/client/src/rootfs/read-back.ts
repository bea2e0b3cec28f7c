import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { Log } from '../system/system.ts';
import { openInTime, type OpenFile, type OpenedFile } from '../system/open-in-time.ts';

/** Node has it; the types of Node leave it to those of browsers. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

const pieceBytes = 1024 * 1024;

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
  const [piece, spare] = [alignedBuffer(), alignedBuffer()];
  const { file, reading } = await openPastCache(path, piece, log, open);
  try {
    yield* pieces(file, path, { piece, spare, reading }, sizeBytes, signal);
  } finally {
    await file.close();
  }
}

/** Not only the opening is refused where O_DIRECT is not known, on some file systems only the first reading is. */
async function openPastCache(path: string, piece: Buffer, log: Log, open: OpenFile) {
  const direct = await open(path, constants.O_RDONLY | constants.O_DIRECT).catch(unlessRefused);
  if (direct !== undefined) {
    try {
      const count = await readPiece(direct, piece, 0).catch(unlessRefused);
      if (count !== undefined) return { file: direct, reading: Promise.resolve(count) };
    } catch (error) {
      await direct.close();
      throw error;
    }
    await direct.close();
  }
  log(
    'info',
    `${path} cannot be read past the kernel's cache; what was written is checked through the cache.`,
  );
  const file = await open(path, constants.O_RDONLY);
  return { file, reading: readPiece(file, piece, 0) };
}

async function* pieces(
  file: OpenedFile,
  path: string,
  first: { readonly piece: Buffer; readonly spare: Buffer; readonly reading: Promise<number> },
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let { piece, spare, reading } = first;
  for (let position = 0; position < sizeBytes;) {
    signal.throwIfAborted();
    const count = await reading;
    if (count === 0) throw new Error(`${path} ends after ${position} of ${sizeBytes} bytes.`);
    // The next piece is on its way while this one is hashed.
    if (position + count < sizeBytes) {
      reading = readPiece(file, spare, position + count);
      // Awaited in the next round, unless the work is called off first.
      reading.catch(() => undefined);
    }
    yield piece.subarray(0, Math.min(count, sizeBytes - position));
    position += count;
    [piece, spare] = [spare, piece];
  }
}

/** Whole pieces only: with O_DIRECT position and length must be multiples of the device's block. */
async function readPiece(file: Pick<OpenedFile, 'read'>, piece: Buffer, position: number): Promise<number> {
  return (await file.read(piece, 0, piece.length, position)).bytesRead;
}

/** O_DIRECT wants memory aligned to the device's block. Node has no such buffer, but WebAssembly's memory is page-aligned. */
function alignedBuffer(): Buffer {
  const wasmPageBytes = 65_536;
  return Buffer.from(new WebAssembly.Memory({ initial: pieceBytes / wasmPageBytes }).buffer);
}

/** Undefined for a refusal of O_DIRECT; any other error goes on its way. */
function unlessRefused(error: unknown): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
}
