import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { CompressionName } from './artifact.ts';
import { ArtifactError } from './errors.ts';
import { crc32 } from './gunzip.ts';
import { segmentBytes } from './limits.ts';

/** Compresses one segment, on its own, into a whole gzip member, zstd frame or xz stream; off the main thread. */
export type SegmentCompressor = (segment: Uint8Array, level: number | undefined) => Promise<Uint8Array>;
export type Compressors = Readonly<Partial<Record<Exclude<CompressionName, 'none'>, SegmentCompressor>>>;

/** What Node itself can compress. `lzma`: `xzCompressor` of `@tandem/artifact/xz`. Both work in the thread pool of libuv. */
export const nodeCompressors: Compressors = {
  gzip: gzipMember,
  ...(typeof zlib.zstdCompress === 'function' ? { zstd: zstdFrame } : {}),
};

export interface SegmentOptions {
  readonly compress: SegmentCompressor;
  readonly level: number | undefined;
  /** How many segments are compressed at once. The bytes do not depend on it. */
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Cuts the content into segments of `segmentBytes` and compresses each independently of the others. That makes every boundary a restart
 * point and lets all processors work, at the price of a slightly larger result.
 */
export async function* compressSegments(
  content: AsyncIterable<Uint8Array>,
  options: SegmentOptions,
): AsyncIterable<Uint8Array> {
  const underWay: Promise<Uint8Array>[] = [];
  // Buffers whose segment has been compressed are filled again.
  const idle: Buffer[] = [];
  // Images have much empty space; it is compressed once.
  let ofZeros: Promise<Uint8Array> | undefined;
  try {
    for await (const segment of segmentsOf(content, idle)) {
      options.signal?.throwIfAborted();
      if (isAllZero(segment.content)) {
        ofZeros ??= options.compress(new Uint8Array(segmentBytes), options.level);
        underWay.push(ofZeros);
        idle.push(segment.buffer);
      } else {
        underWay.push(
          options.compress(segment.content, options.level).finally(() => idle.push(segment.buffer)),
        );
      }
      // One may fail before its turn to be awaited comes; that is not unhandled.
      underWay.at(-1)?.catch(() => undefined);
      const first = underWay.length >= options.parallel ? underWay.shift() : undefined;
      if (first !== undefined) yield await first;
    }
    for (let first = underWay.shift(); first !== undefined; first = underWay.shift()) yield await first;
  } finally {
    // What is still being compressed after a fault ends unseen.
    await Promise.allSettled(underWay);
  }
}

/**
 * How many segments are compressed at once by default: one more than there are processors, so that none waits while the next is being
 * read, and one fewer than libuv has threads, so that files do not wait either; within what keeps memory under 250 MiB, 400 for lzma.
 */
export function defaultParallel(compression: CompressionName, level: number | undefined): number {
  const threads = Number(process.env['UV_THREADPOOL_SIZE']) || 4;
  const most = compression === 'lzma' ? 3 : compression === 'zstd' && (level ?? 3) > 8 ? 2 : 8;
  return Math.max(1, Math.min(availableParallelism() + 1, threads - 1, most));
}

/** Throws `ArtifactError` (noDecompressor) when this machine has no means. */
export function compressorFor(
  compression: Exclude<CompressionName, 'none'>,
  compressors: Compressors,
): SegmentCompressor {
  const compressor = compressors[compression];
  if (compressor !== undefined) return compressor;
  throw new ArtifactError(
    'noDecompressor',
    `nothing here can compress with ${compression}; choose another compression`,
  );
}

const zeros = Buffer.alloc(64 * 1024);

function isAllZero(segment: Uint8Array): boolean {
  if (segment.length < segmentBytes) return false;
  for (let at = 0; at < segment.length; at += zeros.length) {
    if (zeros.compare(segment, at, at + zeros.length) !== 0) return false;
  }
  return true;
}

interface Segment {
  readonly buffer: Buffer;
  readonly content: Uint8Array;
}

async function* segmentsOf(content: AsyncIterable<Uint8Array>, idle: Buffer[]): AsyncIterable<Segment> {
  const take = () => idle.pop() ?? Buffer.allocUnsafe(segmentBytes);
  let buffer = take();
  let filled = 0;
  for await (const piece of content) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + segmentBytes - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < segmentBytes) continue;
      yield { buffer, content: buffer };
      buffer = take();
      filled = 0;
    }
  }
  if (filled > 0) yield { buffer, content: buffer.subarray(0, filled) };
}

const deflateRaw = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/** Room for any segment's result, so that one call makes it: in several, zstd copies its input and searches more slowly. */
const mostCompressedBytes = segmentBytes + segmentBytes / 256;

/** The header is written here and not by zlib, whose operating system byte tells where the artifact was made. */
const gzipHeader = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);

async function gzipMember(segment: Uint8Array, level: number | undefined): Promise<Uint8Array> {
  const body = await deflateRaw(segment, {
    level: level ?? 6,
    memLevel: 9,
    chunkSize: mostCompressedBytes,
  });
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(segment), 0);
  trailer.writeUInt32LE(segment.length, 4);
  return Buffer.concat([gzipHeader, body, trailer]);
}

async function zstdFrame(segment: Uint8Array, level: number | undefined): Promise<Uint8Array> {
  const compress = promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);
  // Never ZSTD_c_nbWorkers: with it Node 26.10 loses the end of the output.
  const params = {
    [zlib.constants.ZSTD_c_compressionLevel]: level ?? 3,
    // All of the segment can be referred to; up to level 8 zstd would look back half as far.
    [zlib.constants.ZSTD_c_windowLog]: Math.log2(segmentBytes),
    [zlib.constants.ZSTD_c_checksumFlag]: 1,
    [zlib.constants.ZSTD_c_contentSizeFlag]: 1,
  };
  return compress(segment, { params, pledgedSrcSize: segment.length, chunkSize: mostCompressedBytes });
}
