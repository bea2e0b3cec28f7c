import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type * as Library from 'node-liblzma';
import type { ByteTransform } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import type { SegmentCompressor } from './compress-segments.ts';
import { ArtifactError } from './errors.ts';
import { limits, pieceBytes } from './limits.ts';
import { programDecompressor } from './program-decompressor.ts';
import { throughStream } from './through-stream.ts';
import { withStatedSizes, xzStreams } from './xz-streams.ts';

/*
 * xz (the command line's `lzma`) by liblzma. An entry of its own, `@tandem/artifact/xz`: the library is native code, which what
 * is bundled for devices must not contain. Where it has no binary for the machine, the program `xz` does the work.
 */

type Liblzma = typeof Library;

/** Loaded at the first use. Undefined where there is no binary for this machine. */
async function loadLiblzma(): Promise<Liblzma | undefined> {
  try {
    return await import('node-liblzma');
  } catch {
    return undefined;
  }
}

/** Memory of liblzma's decoder beside its dictionary. */
const decoderBytes = 16 * 1024 * 1024;

export const xzDecompressor: ByteTransform = async function* (source, onBoundary) {
  const liblzma = await loadLiblzma();
  if (liblzma === undefined) return yield* programDecompressor('xz')(source, onBoundary);
  const reader = new ByteReader(source);
  try {
    const engine = liblzma.createUnxz({
      chunkSize: pieceBytes,
      memlimit: limits.xzDictionary + decoderBytes,
    });
    yield* throughStream(xzStreams(reader, onBoundary), engine);
  } catch (cause) {
    if (cause instanceof ArtifactError || !(cause instanceof Error) || !cause.name.startsWith('LZMA'))
      throw cause;
    throw new ArtifactError(
      'corruptCompression',
      'the xz data is damaged; fetch or build the artifact again',
      { cause },
    );
  } finally {
    await reader.close();
  }
};

/** One stream of one block, with CRC64 as the reference writes it, sizes stated. Level 0 to 9, default 6. */
export const xzCompressor: SegmentCompressor = async (segment, level = 6) => {
  const liblzma = await loadLiblzma();
  if (liblzma === undefined) return withStatedSizes(await runXz(segment, level), segment.length);
  const stream = await liblzma.xzAsync(Buffer.from(segment.buffer, segment.byteOffset, segment.length), {
    preset: level,
    check: liblzma.check.CRC64,
    chunkSize: pieceBytes,
  });
  return withStatedSizes(stream, segment.length);
};

/** Gives the segment to the program `xz`, with the environment kept from changing what it does. */
async function runXz(segment: Uint8Array, level: number): Promise<Uint8Array> {
  const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };
  const args = ['--compress', '--stdout', '--threads=1', '--check=crc64', `-${level}`];
  const child = spawn('xz', args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
  const closed = once(child, 'close') as Promise<[number | null]>;
  closed.catch(() => undefined);
  child.stdin.on('error', () => undefined);
  child.stdin.end(segment);
  const pieces: Uint8Array[] = [];
  for await (const piece of child.stdout as AsyncIterable<Uint8Array>) pieces.push(piece);
  const [exitCode] = await closed.catch((cause: unknown): never => {
    const message =
      'lzma needs node-liblzma, which has no binary for this machine, or the program xz; install it';
    throw new ArtifactError('noDecompressor', message, { cause });
  });
  if (exitCode !== 0)
    throw new ArtifactError('noDecompressor', `xz failed with exit status ${exitCode ?? 'none'}`);
  return Buffer.concat(pieces);
}
