import { constants, createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { ClientError, codeOf } from '../client-error.ts';
import { openInTime } from '../system/open-in-time.ts';
import { openPastCache } from '../system/past-cache.ts';
import type { Processes } from '../system/system.ts';
import { blockBytes, writeBlocks, type WrittenImage } from './block-writer.ts';
import { ubiVolumeAt, writeUbiVolume } from './ubi-volume.ts';

export interface FlashOptions {
  /** Path of the image; `-` is the standard input. */
  readonly input: string;
  /** Block device, UBI volume or file; a file is made, readable by its owner alone, if it is not there. */
  readonly output: string;
  /** Bytes to write; more are left unread. Undefined: the size of the input, when that has one. */
  readonly sizeBytes?: number | undefined;
  /** Bytes written between two flushes; 0: only at the end. */
  readonly flushIntervalBytes: number;
  /** Also blocks that are there already. */
  readonly writeEverything: boolean;
}

export interface FlashNeeds {
  readonly standardInput: () => Readable;
  readonly processes: Pick<Processes, 'start'>;
}

/**
 * Writes an image to a device, as the program mender-flash does (client contract 4.3). Durable when resolved. Throws `ClientError`
 * `badImage` when the size cannot be known, the input is too short, or the output is a kind of device that is not written so.
 */
export async function flash(
  options: FlashOptions,
  { standardInput, processes }: FlashNeeds,
  signal: AbortSignal,
): Promise<WrittenImage> {
  const sizeBytes = options.sizeBytes ?? (await sizeOfInput(options.input));
  const source =
    options.input === '-' ? standardInput() : createReadStream(options.input, { highWaterMark: blockBytes });
  // Otherwise an input that stands still could not be called off.
  const content = addAbortSignal(signal, source);
  if ((await ubiVolumeAt(options.output)) !== undefined) {
    await writeUbiVolume(processes, options.output, firstBytes(content, sizeBytes), sizeBytes, signal);
    const writtenBlocks = Math.ceil(sizeBytes / blockBytes);
    return { sizeBytes, sameBlocks: 0, writtenBlocks, writtenBytes: sizeBytes };
  }
  const open = openInTime();
  const openOutput = () => openPastCache(options.output, 'r+', open);
  const file = await openOutput().catch(async (error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    await (await open(options.output, newFile, 0o600)).close();
    return await openOutput();
  });
  try {
    if ((await stat(options.output)).isCharacterDevice()) {
      throw new ClientError(
        'badImage',
        `Cannot write to ${options.output}: it is a character device, and no UBI volume.`,
      );
    }
    const written = await writeBlocks(file, firstBytes(content, sizeBytes), signal, {
      skipSame: !options.writeEverything,
      flushEveryBytes: options.flushIntervalBytes === 0 ? Infinity : options.flushIntervalBytes,
    });
    await file.sync();
    if (written.sizeBytes === sizeBytes) return written;
    throw new ClientError(
      'badImage',
      `Unexpected end of input! ${options.input} has ${written.sizeBytes} of ${sizeBytes} bytes.`,
    );
  } finally {
    await file.close();
  }
}

const newFile = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;

async function sizeOfInput(input: string): Promise<number> {
  const size = input === '-' ? 0 : (await stat(input)).size;
  if (size > 0) return size;
  throw new ClientError('badImage', `The size of ${input} cannot be known: give it with --input-size.`);
}

async function* firstBytes(
  content: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = sizeBytes;
  if (left === 0) return;
  for await (const chunk of content) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}
