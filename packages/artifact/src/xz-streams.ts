import type { MemberBoundary } from './artifact.ts';
import type { ByteReader } from './byte-reader.ts';
import { ArtifactError } from './errors.ts';
import { crc32 } from './gunzip.ts';
import { limits, pieceBytes } from './limits.ts';

/**
 * Passes xz data (The .xz File Format 1.2) through and looks at its outline on the way, without decompressing: that it is whole, that
 * no block asks for a dictionary over `limits.xzDictionary`, and where streams end. Only streams whose blocks state their sizes can be
 * followed, as our writer and `xz -T` make them; from the first that does not, the rest is passed on unseen and no boundary is told.
 * A boundary inside a stream is none that a decoder could begin at.
 */
export async function* xzStreams(
  reader: ByteReader,
  onBoundary: (boundary: MemberBoundary) => void = () => undefined,
): AsyncIterable<Uint8Array> {
  let contentBytes = 0;
  do {
    const header = await exactly(reader, streamHeaderBytes);
    if (!startsWith(header, magic)) throw corrupt('this is not xz data');
    const checkBytes = checkSizes[(header[7] ?? 0) & 15] ?? 0;
    yield header;
    for (let size = await sizeByte(reader); size !== 0; size = await sizeByte(reader)) {
      const head = await exactly(reader, (size + 1) * 4);
      const block = parseBlockHeader(head);
      yield head;
      if (block.compressedBytes === undefined || block.contentBytes === undefined) return yield* rest(reader);
      yield* passOn(reader, block.compressedBytes + padding(block.compressedBytes) + checkBytes);
      contentBytes += block.contentBytes;
    }
    yield* passIndex(reader);
    const footer = await exactly(reader, streamHeaderBytes);
    yield footer;
    yield* passStreamPadding(reader);
    onBoundary({ compressedBytes: reader.offset, contentBytes });
  } while (!(await reader.atEnd()));
}

/**
 * A single-block stream as a streaming encoder makes it, made again with the sizes stated in the block's header, so that readers can
 * follow and resume. The compressed data itself stays as it is.
 */
export function withStatedSizes(stream: Uint8Array, contentBytes: number): Uint8Array {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.length);
  const oldHeaderBytes = ((bytes[streamHeaderBytes] ?? 0) + 1) * 4;
  const oldHeader = bytes.subarray(streamHeaderBytes, streamHeaderBytes + oldHeaderBytes);
  if (((oldHeader[1] ?? 0) & 0xc0) !== 0) return stream;
  const indexBytes = (bytes.readUInt32LE(bytes.length - 8) + 1) * 4;
  const indexAt = bytes.length - streamHeaderBytes - indexBytes;
  const [, records] = readVarint(bytes, indexAt + 1);
  const [unpadded] = readVarint(bytes, records);
  const checkBytes = checkSizes[(bytes[7] ?? 0) & 15] ?? 0;
  const compressedBytes = unpadded - oldHeaderBytes - checkBytes;

  // Filter flags follow the two bytes of size and flags; zeros up to the checksum are padding and read as no filter.
  const filters = oldHeader.subarray(2, 2 + filterBytes(oldHeader));
  const body = Buffer.concat([
    Uint8Array.of(0, (oldHeader[1] ?? 0) | 0xc0),
    varint(compressedBytes),
    varint(contentBytes),
    filters,
  ]);
  const header = withChecksum(padded(body), (padded(body).length + 4) / 4 - 1);
  const newUnpadded = header.length + compressedBytes + checkBytes;
  const index = padded(Buffer.concat([Uint8Array.of(0, 1), varint(newUnpadded), varint(contentBytes)]));
  const fullIndex = withChecksum(index);
  const backward = Buffer.alloc(6);
  backward.writeUInt32LE(fullIndex.length / 4 - 1, 0);
  bytes.copy(backward, 4, 6, 8);
  return Buffer.concat([
    bytes.subarray(0, streamHeaderBytes),
    header,
    bytes.subarray(streamHeaderBytes + oldHeaderBytes, indexAt),
    fullIndex,
    checksumOf(backward),
    backward,
    footerMagic,
  ]);
}

const magic = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00);
const footerMagic = Buffer.from('YZ');
const streamHeaderBytes = 12;
/** Bytes of the check behind each block, by its type. */
const checkSizes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;
const lzma2Filter = 0x21;

interface BlockHeader {
  readonly compressedBytes: number | undefined;
  readonly contentBytes: number | undefined;
}

function parseBlockHeader(head: Uint8Array): BlockHeader {
  const flags = head[1] ?? 0;
  let at = 2;
  let compressedBytes: number | undefined;
  let contentBytes: number | undefined;
  if ((flags & 0x40) !== 0) [compressedBytes, at] = readVarint(head, at);
  if ((flags & 0x80) !== 0) [contentBytes, at] = readVarint(head, at);
  for (let filters = (flags & 3) + 1; filters > 0; filters -= 1) {
    const [id, sizeAt] = readVarint(head, at);
    const [size, propertiesAt] = readVarint(head, sizeAt);
    if (id === lzma2Filter && dictionarySize(head[propertiesAt] ?? 0) > limits.xzDictionary) {
      throw new ArtifactError(
        'tooLarge',
        `its xz data needs a dictionary of over ${limits.xzDictionary} bytes to read; compress with a smaller preset`,
      );
    }
    at = propertiesAt + size;
  }
  return { compressedBytes, contentBytes };
}

function filterBytes(head: Uint8Array): number {
  let at = 2;
  for (let filters = ((head[1] ?? 0) & 3) + 1; filters > 0; filters -= 1) {
    const [, sizeAt] = readVarint(head, at);
    const [size, propertiesAt] = readVarint(head, sizeAt);
    at = propertiesAt + size;
  }
  return at - 2;
}

function dictionarySize(bits: number): number {
  return bits >= 40 ? 2 ** 32 : (2 | (bits & 1)) * 2 ** (bits / 2 + 11 - (bits & 1) / 2);
}

/** Little-endian groups of seven bits; answers the value and where the next field stands. */
function readVarint(bytes: Uint8Array, from: number): [value: number, next: number] {
  let value = 0;
  for (let at = from, scale = 1; at < bytes.length && at < from + 9; at += 1, scale *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if ((byte & 0x80) === 0) return [value, at + 1];
  }
  throw corrupt('a number in the xz data has no end');
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Uint8Array.from([...bytes, left]);
}

async function* passIndex(reader: ByteReader): AsyncIterable<Uint8Array> {
  const begin = reader.offset;
  yield await exactly(reader, 1);
  let numbers = 1;
  for (let left = 1; left > 0; left -= 1) {
    const bytes: number[] = [];
    do {
      const [byte = 0] = await exactly(reader, 1);
      bytes.push(byte);
    } while (((bytes.at(-1) ?? 0) & 0x80) !== 0 && bytes.length < 9);
    // The first number says how many pairs of numbers follow.
    if (numbers === 1) left += 2 * readVarint(Uint8Array.from(bytes), 0)[0];
    numbers += 1;
    yield Uint8Array.from(bytes);
  }
  yield await exactly(reader, padding(reader.offset - begin) + 4);
}

async function* passStreamPadding(reader: ByteReader): AsyncIterable<Uint8Array> {
  for (;;) {
    const word = await reader.upTo(4);
    if (word.length < 4 || word.some((byte) => byte !== 0)) {
      reader.giveBack(word);
      return;
    }
    yield word;
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

async function* rest(reader: ByteReader): AsyncIterable<Uint8Array> {
  for (let piece = await reader.some(pieceBytes); piece !== undefined; piece = await reader.some(pieceBytes))
    yield piece;
}

/** Looks at the size of the next block's header, zero at the index, without taking it. */
async function sizeByte(reader: ByteReader): Promise<number> {
  const byte = await exactly(reader, 1);
  reader.giveBack(byte);
  return byte[0] ?? 0;
}

async function exactly(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.upTo(count);
  if (bytes.length < count) throw cut();
  return bytes;
}

function withChecksum(bytes: Uint8Array, firstByte?: number): Uint8Array {
  const whole = Uint8Array.from(bytes);
  if (firstByte !== undefined) whole[0] = firstByte;
  return Buffer.concat([whole, checksumOf(whole)]);
}

function checksumOf(bytes: Uint8Array): Uint8Array {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(bytes), 0);
  return checksum;
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(padding(bytes.length))]);
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, index) => bytes[index] === byte);
}

function cut(): ArtifactError {
  return new ArtifactError('truncated', 'the xz data ends too early; fetch or build the artifact again');
}

function corrupt(message: string): ArtifactError {
  return new ArtifactError('corruptCompression', `${message}; fetch or build the artifact again`);
}
