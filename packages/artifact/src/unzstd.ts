import * as zlib from 'node:zlib';
import type { ByteTransform } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { ArtifactError } from './errors.ts';
import { limits, pieceBytes, segmentBytes } from './limits.ts';
import { throughStream } from './through-stream.ts';
import { framesOf, type ZstdFrame } from './zstd-frames.ts';

const params = { [zlib.constants.ZSTD_d_windowLogMax]: Math.log2(limits.zstdWindow) };

/** Decompresses zstd (RFC 8878) by node:zlib, a frame at a time, each piece by piece in another thread. */
export const unzstd: ByteTransform = (source, onBoundary) => decompress(source, onBoundary, inPieces);

/**
 * The same for programs that do nothing else meanwhile: a frame that states at most a segment of content is decompressed in one call on
 * this thread, which stands still for it, some milliseconds. It takes a fifth less CPU (measured): no piece has to go to another thread
 * and back, and all are decompressed into the same memory. So a piece counts only until the next is asked for.
 */
export const unzstdOnThisThread: ByteTransform = (source, onBoundary) => {
  const whole = Buffer.allocUnsafeSlow(segmentBytes + overheadBytes);
  return decompress(source, onBoundary, async function* (frame) {
    if (frame.contentBytes === undefined || frame.contentBytes > segmentBytes) return yield* inPieces(frame);
    let length = 0;
    for await (const piece of frame.bytes()) {
      // Nothing forbids a frame that is longer than its content; nobody makes them.
      if (length + piece.length > whole.length)
        return yield* inPieces(frame, [whole.subarray(0, length), piece]);
      whole.set(piece, length);
      length += piece.length;
    }
    // One chunk, and not quite filled, or another would be begun.
    const chunkSize = Math.max(frame.contentBytes + 1, zlib.constants.Z_MIN_CHUNK);
    const content = zlib.zstdDecompressSync(whole.subarray(0, length), {
      params,
      chunkSize,
      maxOutputLength: chunkSize,
    });
    yield content;
    // Given back now, not when it is collected, its memory serves the next content: in the caches, and not to be zeroed by the kernel. Little
    // content shares a buffer with others.
    if (content.buffer.byteLength === chunkSize) content.buffer.transfer(0);
  });
};

/** Above its content, a frame has a head, a checksum, and three bytes for each block of up to 128 KiB; more than enough. */
const overheadBytes = 64 * 1024;

async function* decompress(
  source: AsyncIterable<Uint8Array>,
  onBoundary: Parameters<ByteTransform>[1],
  contentOf: (frame: ZstdFrame) => AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const reader = new ByteReader(source);
  try {
    for await (const frame of framesOf(reader, onBoundary)) {
      if (frame.hasContent) yield* contentOf(frame);
      else for await (const _ of frame.bytes());
    }
  } catch (cause) {
    if (cause instanceof ArtifactError || !isCodecFault(cause)) throw cause;
    throw new ArtifactError(
      'corruptCompression',
      'the zstd data is damaged; fetch or build the artifact again',
      { cause },
    );
  } finally {
    await reader.close();
  }
}

/** `begin`: what of the frame has been read already. */
function inPieces(frame: ZstdFrame, begin: readonly Uint8Array[] = []): AsyncIterable<Uint8Array> {
  const bytes = async function* () {
    yield* begin;
    yield* frame.bytes();
  };
  return throughStream(bytes(), zlib.createZstdDecompress({ chunkSize: pieceBytes, params }));
}

function isCodecFault(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return code.startsWith('Z_') || code.startsWith('ZSTD_') || code.startsWith('ERR_');
}
