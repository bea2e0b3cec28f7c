import type { ByteReader } from './byte-reader.ts';
import type { MemberBoundary } from './artifact.ts';
import { ArtifactError } from './errors.ts';
import { inputBytes, limits } from './limits.ts';

/**
 * Passes zstd data (RFC 8878) through and looks at its outline on the way, without decompressing: that it consists of whole frames
 * and nothing else, that no frame asks for more memory than `limits.zstdWindow`, and where frames that state their content's size end.
 * Decoders are lenient in this (node:zlib ignores what follows the last frame).
 */
export async function* zstdFrames(
  reader: ByteReader,
  onBoundary: (boundary: MemberBoundary) => void = () => undefined,
): AsyncIterable<Uint8Array> {
  for await (const frame of framesOf(reader, onBoundary)) yield* frame.bytes();
}

/** One frame, read from its beginning to its end. */
export interface ZstdFrame {
  /** False: a skippable frame, which means nothing. */
  readonly hasContent: boolean;
  /** What its header says of the size of its content; undefined when that says nothing. */
  readonly contentBytes: number | undefined;
  /** All of its bytes, header included; asked for again, those that have not been given out yet. */
  readonly bytes: () => AsyncIterable<Uint8Array>;
}

/** The frames one after the other; each must have been read to its end when the next is asked for. */
export async function* framesOf(
  reader: ByteReader,
  onBoundary: (boundary: MemberBoundary) => void = () => undefined,
): AsyncIterable<ZstdFrame> {
  // Once a frame does not say how much content it holds, later boundaries are known in the compressed bytes only.
  let contentBytes: number | undefined = 0;
  do {
    const head = await reader.upTo(longestHeader);
    reader.giveBack(head);
    const header = frameHeader(head);
    const end = new FrameEnd(header);
    yield {
      ...header,
      bytes: async function* () {
        while (!end.isReached) {
          const piece = await reader.some(inputBytes);
          if (piece === undefined) throw cut();
          const count = end.pass(piece);
          reader.giveBack(piece.subarray(count));
          yield piece.subarray(0, count);
        }
      },
    };
    contentBytes =
      header.contentBytes === undefined || contentBytes === undefined
        ? undefined
        : contentBytes + header.contentBytes;
    if (contentBytes !== undefined) onBoundary({ compressedBytes: reader.offset, contentBytes });
  } while (!(await reader.atEnd()));
}

const frameMagic = 0xfd2fb528;
const firstSkippableMagic = 0x184d2a50;
/** Magic number, descriptor, window, dictionary and size of the content. */
const longestHeader = 4 + 1 + 1 + 4 + 8;
const checksumBytes = 4;
const blockHeadBytes = 3;

interface FrameHeader extends Pick<ZstdFrame, 'hasContent' | 'contentBytes'> {
  /** How many bytes come before the first block; of a skippable frame, which has no blocks, all. */
  readonly length: number;
  readonly hasChecksum: boolean;
}

/** Throws `ArtifactError` (corruptCompression, truncated, tooLarge). */
function frameHeader(head: Uint8Array): FrameHeader {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  const expect = (length: number): number => {
    if (bytes.length < length) throw cut();
    return length;
  };
  expect(4);
  const magic = bytes.readUInt32LE(0);
  if (magic >= firstSkippableMagic && magic <= firstSkippableMagic + 15) {
    const length = expect(8) + bytes.readUInt32LE(4);
    return { hasContent: false, contentBytes: 0, length, hasChecksum: false };
  }
  if (magic !== frameMagic) throw corrupt('this is not zstd data');
  const descriptor = bytes[expect(5) - 1] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryAt = 5 + (isSingleSegment ? 0 : 1);
  const sizeAt = dictionaryAt + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const length = expect(sizeAt + ([isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0));
  const contentBytes = statedSize(bytes.subarray(sizeAt, length));
  const windowBytes = isSingleSegment ? (contentBytes ?? 0) : windowSize(bytes[5] ?? 0);
  if (windowBytes > limits.zstdWindow) {
    throw new ArtifactError(
      'tooLarge',
      `its zstd data needs ${windowBytes} bytes of memory to read; at most ${limits.zstdWindow} are given. Compress with a smaller window`,
    );
  }
  if (bytes.subarray(dictionaryAt, sizeAt).some((byte) => byte !== 0)) {
    throw corrupt('its zstd data needs a dictionary, which artifacts have not');
  }
  return { hasContent: true, contentBytes, length, hasChecksum: (descriptor & 4) !== 0 };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function statedSize(bytes: Uint8Array): number | undefined {
  if (bytes.length === 0) return undefined;
  const size = bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  return bytes.length === 2 ? size + 256 : size;
}

/** Finds the end of a frame in its bytes, which come in pieces cut anywhere, from the heads of its blocks. */
class FrameEnd {
  readonly #hasChecksum: boolean;
  /** Bytes that are passed over unseen. */
  #unseenBytes: number;
  /** What has come of a block's head: its value, little-endian, and how many bytes. */
  #head = 0;
  #headBytes = 0;
  #isInLastBlock: boolean;

  constructor({ length, hasContent, hasChecksum }: FrameHeader) {
    this.#unseenBytes = length;
    this.#hasChecksum = hasChecksum;
    this.#isInLastBlock = !hasContent;
  }

  get isReached(): boolean {
    return this.#isInLastBlock && this.#unseenBytes === 0;
  }

  /** Takes the frame's next bytes; answers how many of them are the frame's. */
  pass(piece: Uint8Array): number {
    let at = 0;
    while (at < piece.length && !this.isReached) {
      if (this.#unseenBytes > 0) {
        const count = Math.min(this.#unseenBytes, piece.length - at);
        this.#unseenBytes -= count;
        at += count;
      } else {
        this.#head += (piece[at] ?? 0) * 256 ** this.#headBytes;
        this.#headBytes += 1;
        at += 1;
        if (this.#headBytes === blockHeadBytes) this.#beginBlock();
      }
    }
    return at;
  }

  #beginBlock(): void {
    const type = (this.#head >> 1) & 3;
    if (type === 3) throw corrupt('a block of the zstd data is of no known kind');
    // A run-length block stands for its size in content, but is one byte long.
    this.#unseenBytes = type === 1 ? 1 : this.#head >> 3;
    this.#isInLastBlock = (this.#head & 1) === 1;
    if (this.#isInLastBlock && this.#hasChecksum) this.#unseenBytes += checksumBytes;
    this.#head = 0;
    this.#headBytes = 0;
  }
}

function cut(): ArtifactError {
  return new ArtifactError('truncated', 'the zstd data ends too early; fetch or build the artifact again');
}

function corrupt(message: string): ArtifactError {
  return new ArtifactError('corruptCompression', `${message}; fetch or build the artifact again`);
}
