import type { ByteReader } from './byte-reader.ts';
import type { MemberBoundary } from './artifact.ts';
import { ArtifactError } from './errors.ts';
import { inputBytes, limits, pieceBytes } from './limits.ts';

/**
 * Passes zstd data (RFC 8878) through and looks at its outline on the way, without decompressing: that it consists of whole frames
 * and nothing else, that no frame asks for more memory than `limits.zstdWindow`, and where frames that state their content's size end.
 * Decoders are lenient in this (node:zlib ignores what follows the last frame).
 */
export function zstdFrames(
  reader: ByteReader,
  onBoundary: (boundary: MemberBoundary) => void = () => undefined,
): AsyncIterable<Uint8Array> {
  return inLargerPieces(outline(reader, onBoundary));
}

async function* outline(
  reader: ByteReader,
  onBoundary: (boundary: MemberBoundary) => void,
): AsyncIterable<Uint8Array> {
  // Once a frame does not say how much content it holds, later boundaries are known in the compressed bytes only.
  let contentBytes: number | undefined = 0;
  do {
    const magic = await exactly(reader, 4);
    yield magic;
    const number = Buffer.from(magic).readUInt32LE(0);
    if (number >= firstSkippableMagic && number <= firstSkippableMagic + 15) {
      const length = await exactly(reader, 4);
      yield length;
      yield* passOn(reader, Buffer.from(length).readUInt32LE(0));
    } else if (number === frameMagic) {
      const header = await readFrameHeader(reader);
      yield header.bytes;
      yield* passBlocks(reader);
      if (header.hasChecksum) yield await exactly(reader, 4);
      contentBytes =
        header.contentBytes === undefined || contentBytes === undefined
          ? undefined
          : contentBytes + header.contentBytes;
    } else {
      throw corrupt('this is not zstd data');
    }
    if (contentBytes !== undefined) onBoundary({ compressedBytes: reader.offset, contentBytes });
  } while (!(await reader.atEnd()));
}

/** Every piece costs its decoder a turn in the thread pool; blocks are too small for that. One buffer is filled again and again. */
async function* inLargerPieces(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const buffer = Buffer.allocUnsafe(inputBytes);
  let filled = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + buffer.length - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < buffer.length) continue;
      yield buffer;
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}

const frameMagic = 0xfd2fb528;
const firstSkippableMagic = 0x184d2a50;

interface FrameHeader {
  readonly bytes: Uint8Array;
  readonly hasChecksum: boolean;
  readonly contentBytes: number | undefined;
}

async function readFrameHeader(reader: ByteReader): Promise<FrameHeader> {
  const descriptor = (await exactly(reader, 1))[0] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const windowLength = isSingleSegment ? 0 : 1;
  const dictionaryLength = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeLength = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const rest = await exactly(reader, windowLength + dictionaryLength + sizeLength);
  const contentBytes = readSize(rest.subarray(windowLength + dictionaryLength));
  const windowBytes = isSingleSegment ? (contentBytes ?? 0) : windowSize(rest[0] ?? 0);
  if (windowBytes > limits.zstdWindow) {
    throw new ArtifactError(
      'tooLarge',
      `its zstd data needs ${windowBytes} bytes of memory to read; at most ${limits.zstdWindow} are given. Compress with a smaller window`,
    );
  }
  if (
    dictionaryLength > 0 &&
    rest.subarray(windowLength, windowLength + dictionaryLength).some((byte) => byte !== 0)
  ) {
    throw corrupt('its zstd data needs a dictionary, which artifacts have not');
  }
  return {
    bytes: Buffer.concat([Uint8Array.of(descriptor), rest]),
    hasChecksum: (descriptor & 4) !== 0,
    contentBytes,
  };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function readSize(bytes: Uint8Array): number | undefined {
  if (bytes.length === 0) return undefined;
  const size = bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  return bytes.length === 2 ? size + 256 : size;
}

async function* passBlocks(reader: ByteReader): AsyncIterable<Uint8Array> {
  for (;;) {
    const head = await exactly(reader, 3);
    yield head;
    const value = (head[0] ?? 0) + (head[1] ?? 0) * 256 + (head[2] ?? 0) * 65536;
    const type = (value >> 1) & 3;
    if (type === 3) throw corrupt('a block of the zstd data is of no known kind');
    // A run-length block stands for its size in content, but is one byte long.
    yield* passOn(reader, type === 1 ? 1 : value >> 3);
    if ((value & 1) === 1) return;
  }
}

async function* passOn(reader: ByteReader, length: number): AsyncIterable<Uint8Array> {
  for (let left = length; left > 0;) {
    const piece = await reader.some(Math.min(left, pieceBytes));
    if (piece === undefined) throw cut();
    left -= piece.length;
    yield piece;
  }
}

async function exactly(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.upTo(count);
  if (bytes.length < count) throw cut();
  return bytes;
}

function cut(): ArtifactError {
  return new ArtifactError('truncated', 'the zstd data ends too early; fetch or build the artifact again');
}

function corrupt(message: string): ArtifactError {
  return new ArtifactError('corruptCompression', `${message}; fetch or build the artifact again`);
}
