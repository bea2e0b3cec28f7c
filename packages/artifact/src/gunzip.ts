import * as zlib from 'node:zlib';
import type { ByteTransform } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { ArtifactError } from './errors.ts';
import { inputBytes, limits, pieceBytes } from './limits.ts';

/**
 * Decompresses gzip (RFC 1952), member by member. `node:zlib` would do all members in one go, but hides where one ends and the
 * next begins, which is what a download resumes from; hence the headers and trailers are read here and zlib does the rest.
 */
export const gunzip: ByteTransform = async function* (source, onBoundary) {
  const reader = new ByteReader(source);
  let contentBytes = 0;
  try {
    do {
      await skipHeader(reader);
      let checksum = 0;
      let length = 0;
      for await (const piece of inflate(reader)) {
        checksum = crc32(piece, checksum);
        length += piece.length;
        yield piece;
      }
      await checkTrailer(reader, checksum, length);
      contentBytes += length;
      onBoundary?.({ compressedBytes: reader.offset, contentBytes });
    } while (!(await reader.atEnd()));
  } finally {
    await reader.close();
  }
};

/** Flags of the fourth byte, in the order in which the fields follow. */
const flag = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

async function skipHeader(reader: ByteReader): Promise<void> {
  const begin = reader.offset;
  const fixed = await reader.upTo(10);
  const flags = fixed[3] ?? 0;
  if (fixed.length === 10 && (fixed[0] !== 0x1f || fixed[1] !== 0x8b)) throw corrupt('this is not gzip data');
  if (fixed.length < 10) throw cut();
  if (fixed[2] !== 8 || (flags & flag.reserved) !== 0) throw corrupt('an unknown kind of gzip member');
  if ((flags & flag.extra) !== 0) {
    const length = await exactly(reader, 2);
    await exactly(reader, (length[0] ?? 0) + 256 * (length[1] ?? 0));
  }
  if ((flags & flag.name) !== 0) await skipText(reader, begin);
  if ((flags & flag.comment) !== 0) await skipText(reader, begin);
  if ((flags & flag.headerChecksum) !== 0) await exactly(reader, 2);
}

async function skipText(reader: ByteReader, begin: number): Promise<void> {
  for (;;) {
    const byte = await exactly(reader, 1);
    if (byte[0] === 0) return;
    if (reader.offset - begin > limits.gzipHeader)
      throw corrupt('the name or comment in a gzip header has no end');
  }
}

async function checkTrailer(reader: ByteReader, checksum: number, length: number): Promise<void> {
  const trailer = Buffer.from(await exactly(reader, 8));
  if (trailer.readUInt32LE(0) !== checksum || trailer.readUInt32LE(4) !== length % 2 ** 32) {
    throw corrupt('the checksum of the gzip data is wrong');
  }
}

async function exactly(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.upTo(count);
  if (bytes.length < count) throw cut();
  return bytes;
}

/** One deflate stream. What was read beyond its end goes back to the reader. */
async function* inflate(reader: ByteReader): AsyncIterable<Uint8Array> {
  const engine = zlib.createInflateRaw({ chunkSize: pieceBytes });
  const feeding = feed(reader, engine);
  // A fault in the source must end the wait for output; what it was is thrown below.
  feeding.catch((error: unknown) => engine.destroy(error as Error));
  try {
    for await (const piece of engine as AsyncIterable<Uint8Array>) yield piece;
    engine.destroy();
    const { lastPiece, fedBytes } = await feeding;
    reader.giveBack(lastPiece.subarray(lastPiece.length - (fedBytes - engine.bytesWritten)));
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code?.startsWith('Z_') === true ? fromZlib(cause) : cause;
  } finally {
    engine.destroy();
  }
}

/**
 * Gives zlib input until it leaves some of it: that is how the end of a deflate stream shows. The trailer that follows guarantees
 * that there is something to leave.
 */
async function feed(
  reader: ByteReader,
  engine: zlib.InflateRaw,
): Promise<{ lastPiece: Uint8Array; fedBytes: number }> {
  let fedBytes = 0;
  for (;;) {
    const piece = await reader.some(inputBytes);
    if (piece === undefined) throw cut();
    fedBytes += piece.length;
    await write(engine, piece);
    if (engine.destroyed || engine.bytesWritten < fedBytes) return { lastPiece: piece, fedBytes };
  }
}

/** Resolves when zlib has done all it wants with the piece, its output taken by the reader of the engine; or when it was destroyed. */
function write(engine: zlib.InflateRaw, piece: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      engine.off('close', done);
      resolve();
    };
    engine.once('close', done);
    engine.write(piece, done);
  });
}

function fromZlib(cause: unknown): ArtifactError {
  return corrupt('the compressed data is damaged', cause);
}

function cut(): ArtifactError {
  return new ArtifactError('truncated', 'the gzip data ends too early; fetch or build the artifact again');
}

function corrupt(message: string, cause?: unknown): ArtifactError {
  return new ArtifactError('corruptCompression', `${message}; fetch or build the artifact again`, { cause });
}

/** Node has it since 20.15; some devices have an older 20. */
export const crc32: (data: Uint8Array, value?: number) => number =
  typeof zlib.crc32 === 'function' ? zlib.crc32 : crc32ByTable;

function crc32ByTable(data: Uint8Array, value = 0): number {
  let sum = ~value;
  for (const byte of data) sum = (crcTable[(sum ^ byte) & 0xff] ?? 0) ^ (sum >>> 8);
  return ~sum >>> 0;
}

const crcTable = Int32Array.from({ length: 256 }, (_, index) => {
  let entry = index;
  for (let bit = 0; bit < 8; bit += 1) entry = (entry & 1) === 0 ? entry >>> 1 : 0xedb88320 ^ (entry >>> 1);
  return entry;
});
