import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { ByteTransform, MemberBoundary } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { ArtifactError } from './errors.ts';
import { limits } from './limits.ts';
import { xzStreams } from './xz-streams.ts';
import { zstdFrames } from './zstd-frames.ts';

type Outline = (
  reader: ByteReader,
  onBoundary?: (boundary: MemberBoundary) => void,
) => AsyncIterable<Uint8Array>;

/** The programs, how they are asked to decompress within a bound of memory, and what looks over their input. */
const programs = {
  xz: {
    args: ['--decompress', '--stdout', `--memlimit-decompress=${limits.xzDictionary * 1.25}`],
    outline: xzStreams,
  },
  zstd: {
    args: ['--decompress', '--stdout', '--quiet', `--memory=${limits.zstdWindow}`],
    outline: zstdFrames,
  },
} as const satisfies Record<string, { args: readonly string[]; outline: Outline }>;

export interface ProgramOptions {
  /** Where the program is, when not under its name in PATH. */
  readonly path?: string;
}

/**
 * Decompresses by a program of the system, for machines whose Node cannot. The program sees nothing but PATH of the environment and
 * is killed when the iteration ends early.
 *
 * @example readArtifact(source, { decompressors: { ...nodeDecompressors, lzma: programDecompressor('xz') } })
 */
export function programDecompressor(
  program: keyof typeof programs,
  options: ProgramOptions = {},
): ByteTransform {
  const { args, outline } = programs[program];
  return async function* decompress(source, onBoundary) {
    const reader = new ByteReader(source);
    const child = start(options.path ?? program, args);
    const ended = endOf(child, program);
    // Whichever of the two fails first says what was wrong; the other is then only a consequence.
    let sourceFault: unknown;
    const feeding = feed(outline(reader, onBoundary), child.stdin).catch((error: unknown) => {
      sourceFault = error;
      child.kill('SIGKILL');
    });
    try {
      for await (const piece of child.stdout as AsyncIterable<Uint8Array>) yield piece;
      const fault = await ended;
      if (sourceFault !== undefined) throw sourceFault;
      if (fault !== undefined) throw fault;
    } catch (error) {
      throw sourceFault ?? error;
    } finally {
      child.kill('SIGKILL');
      child.stdin.destroy();
      void feeding;
      await reader.close();
    }
  };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function start(program: string, args: readonly string[]): Child {
  const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };
  return spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: environment });
}

/** What went wrong with the program; undefined when it ended well. Never rejects. */
async function endOf(child: Child, program: string): Promise<ArtifactError | undefined> {
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 1000);
  });
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    if (exitCode === 0) return undefined;
    return new ArtifactError(
      'corruptCompression',
      `${program} could not decompress it: ${said.trim() || 'it was ended'}`,
    );
  } catch (cause) {
    return new ArtifactError('noDecompressor', `the program ${program} cannot be started; install it`, {
      cause,
    });
  }
}

async function feed(source: AsyncIterable<Uint8Array>, stdin: Writable): Promise<void> {
  // A program that ends before its input does closes the pipe; how it ended says why.
  stdin.on('error', () => undefined);
  for await (const piece of source) {
    if (stdin.destroyed) return;
    await new Promise<void>((resolve) => {
      stdin.once('close', resolve);
      stdin.write(piece, () => {
        stdin.off('close', resolve);
        resolve();
      });
    });
  }
  stdin.end();
}
