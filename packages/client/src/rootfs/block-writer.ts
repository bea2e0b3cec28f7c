import { writeAll, type OpenedFile } from '../system/open-in-time.ts';
import { alignedBuffers, directBytes } from '../system/past-cache.ts';

export const blockBytes = directBytes;

export interface WrittenImage {
  readonly sizeBytes: number;
  /** Blocks that were the same already and were left alone. */
  readonly sameBlocks: number;
  readonly writtenBlocks: number;
  readonly writtenBytes: number;
}

export interface WriteBlocksOptions {
  /** False: write a block without looking whether it is there already. */
  readonly skipSame?: boolean;
  /** Flush after so many written bytes, so that little is lost by a cut and the last flush is short; `Infinity`: not before it. */
  readonly flushEveryBytes?: number;
  /** Where in the file the content begins; 0 when not given. */
  readonly from?: number;
  /** Asked after each block; when it is due, what stands before `position` is flushed, and then it is told so. */
  readonly progress?: {
    readonly isDue: (position: number) => boolean;
    readonly stored: (position: number) => Promise<void>;
  };
}

/** Measured: with it the device works while the next bytes are decompressed, and an install takes a tenth less time. */
const usualFlushBytes = 64 * blockBytes;

/**
 * Writes content from the beginning of a file or device (or `from` on), in blocks of 1 MiB; a block that is there already is not
 * written, which spares time and flash. While one block is on its way to the device, the next is being gathered, and what stands in
 * its place is being read. The memory is such that the file may let whole blocks go past the cache. Nothing is durable before the
 * caller's `sync`.
 */
export async function writeBlocks(
  file: Omit<OpenedFile, 'sync' | 'close'>,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  { skipSame = true, flushEveryBytes = usualFlushBytes, from = 0, progress }: WriteBlocksOptions = {},
): Promise<WrittenImage> {
  const [present, ...others] = alignedBuffers(3) as readonly [Buffer, Buffer, Buffer];
  let [gathering, spare] = others;
  let filled = 0;
  let position = from;
  // The first block ends where blocks end, wherever it begins.
  let blockSize = blockBytes - (from % blockBytes);
  const counts = { sameBlocks: 0, writtenBlocks: 0, writtenBytes: 0 };
  let unflushedBytes = 0;

  const look = (at: number): Promise<number> => {
    const reading = skipSame ? readUpTo(file, present, at) : Promise.resolve(0);
    // Awaited with its block; until then a failure must not count as unhandled.
    reading.catch(() => undefined);
    return reading;
  };
  let looking = look(from);
  const writeBlock = async (block: Buffer, at: number) => {
    const presentBytes = await looking;
    const isSame = presentBytes >= block.length && block.equals(present.subarray(0, block.length));
    looking = look(at + block.length);
    if (isSame) counts.sameBlocks += 1;
    else {
      await writeAll(file, block, at);
      counts.writtenBlocks += 1;
      counts.writtenBytes += block.length;
      unflushedBytes += block.length;
    }
    const end = at + block.length;
    const isDue = progress?.isDue(end) ?? false;
    // Also what was the same may only be in the kernel's memory yet.
    if (!isDue && unflushedBytes < flushEveryBytes) return;
    await file.datasync();
    unflushedBytes = 0;
    if (isDue) await progress?.stored(end);
  };
  let underWay: Promise<void> = Promise.resolve();
  const flush = async () => {
    await underWay;
    underWay = writeBlock(gathering.subarray(0, filled), position);
    // Awaited at the next flush; until then a failure must not count as unhandled.
    underWay.catch(() => undefined);
    position += filled;
    filled = 0;
    blockSize = blockBytes;
    [gathering, spare] = [spare, gathering];
  };

  try {
    for await (const chunk of content) {
      signal.throwIfAborted();
      for (let taken = 0; taken < chunk.length;) {
        const count = Math.min(blockSize - filled, chunk.length - taken);
        gathering.set(chunk.subarray(taken, taken + count), filled);
        filled += count;
        taken += count;
        if (filled === blockSize) await flush();
      }
    }
    if (filled > 0) await flush();
  } finally {
    // Also when the content breaks off: the file is closed after this.
    try {
      await underWay;
    } finally {
      await looking.catch(() => undefined);
    }
  }
  return { sizeBytes: position, ...counts };
}

/** Fills the buffer, as far as the file goes; answers how far that was. */
async function readUpTo(file: Pick<OpenedFile, 'read'>, buffer: Buffer, at: number): Promise<number> {
  let read = 0;
  while (read < buffer.length) {
    const { bytesRead } = await file.read(buffer, read, buffer.length - read, at + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return read;
}
