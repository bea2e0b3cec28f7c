import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Log } from '../system/system.ts';

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
): Promise<string> {
  try {
    return await hashOf(path, constants.O_RDONLY | constants.O_DIRECT, sizeBytes, signal);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    log(
      'info',
      `${path} cannot be read past the kernel's cache; what was written is checked through the cache.`,
    );
    return await hashOf(path, constants.O_RDONLY, sizeBytes, signal);
  }
}

async function hashOf(path: string, flags: number, sizeBytes: number, signal: AbortSignal): Promise<string> {
  const file = await open(path, flags);
  try {
    const hash = createHash('sha256');
    let [piece, spare] = [alignedBuffer(), alignedBuffer()];
    let reading = readPiece(file, piece, 0);
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
      hash.update(piece.subarray(0, Math.min(count, sizeBytes - position)));
      position += count;
      [piece, spare] = [spare, piece];
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

/** Whole pieces only: with O_DIRECT position and length must be multiples of the device's block. */
async function readPiece(file: FileHandle, piece: Buffer, position: number): Promise<number> {
  return (await file.read(piece, 0, piece.length, position)).bytesRead;
}

/** O_DIRECT wants memory aligned to the device's block. Node has no such buffer, but WebAssembly's memory is page-aligned. */
function alignedBuffer(): Buffer {
  const wasmPageBytes = 65_536;
  return Buffer.from(new WebAssembly.Memory({ initial: pieceBytes / wasmPageBytes }).buffer);
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EINVAL' || error.code === 'ENOTSUP');
}
