import type { FileHandle } from 'node:fs/promises';
import { inputBytes } from './limits.ts';

/** Offsets in bytes; `end` is not included. */
export interface FileRange {
  readonly start?: number;
  readonly end?: number;
}

/**
 * The bytes of a file, all from where it stands or those of `range`; the file is closed however the iteration ends. One piece is read
 * while the one before is being dealt with, in two buffers used again and again: fresh ones would cost half as much as reading and hashing. So
 * a piece counts only until the next is asked for; whoever keeps pieces, as a stream with a buffer does, takes `copiesOf`.
 */
export async function* fileContent(
  file: FileHandle,
  { start, end = Number.POSITIVE_INFINITY }: FileRange = {},
): AsyncIterable<Uint8Array> {
  let position = start ?? 0;
  const readInto = (buffer: Buffer) => {
    const length = Math.min(buffer.length, end - position);
    // Where nobody says where to begin, the file may be a pipe.
    const reading = file.read(buffer, 0, length, start === undefined ? null : position);
    // It may fail before its turn to be awaited comes; that is not unhandled.
    reading.catch(() => undefined);
    return reading;
  };
  let current = Buffer.allocUnsafe(inputBytes);
  let next = Buffer.allocUnsafe(inputBytes);
  let reading = readInto(current);
  try {
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return;
      position += bytesRead;
      reading = readInto(next);
      yield current.subarray(0, bytesRead);
      [current, next] = [next, current];
    }
  } finally {
    await reading.catch(() => undefined);
    await file.close();
  }
}

/** For those that keep pieces. */
export async function* copiesOf(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const piece of content) yield Buffer.from(piece);
}
