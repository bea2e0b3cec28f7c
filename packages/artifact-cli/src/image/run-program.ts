import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { CommandError } from '../exit-status.ts';
import { reasonOf } from '../keys.ts';

export interface ProgramResult {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const mostOutputBytes = 16 * 1024 * 1024;

/** Debian keeps the programs for file systems where users do not look. */
const searchPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/**
 * Runs one of the programs that know file systems and gathers what it says (at most 16 MiB). Throws `CommandError` naming the package when it
 * is not installed.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly package: string; readonly input?: string; readonly signal: AbortSignal },
): Promise<ProgramResult> {
  const environment = {
    ...process.env,
    PATH: searchPath,
    LC_ALL: 'C',
    MTOOLS_SKIP_CHECK: '1',
    DEBUGFS_PAGER: 'cat',
  };
  const child = spawn(program, args, { env: environment, signal: options.signal });
  const closed = once(child, 'close') as Promise<[number | null]>;
  // Awaited below, after its output; until then its rejection is not unhandled.
  closed.catch(() => undefined);
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const stdout: Buffer[] = [];
  let stdoutBytes = 0;
  let stderr = '';
  child.stdout.on('data', (piece: Buffer) => {
    stdoutBytes += piece.length;
    if (stdoutBytes <= mostOutputBytes) stdout.push(piece);
  });
  child.stderr.on('data', (piece: Buffer) => {
    stderr = (stderr + piece.toString()).slice(0, 64 * 1024);
  });
  try {
    const [exitCode] = await closed;
    return { exitCode, stdout: Buffer.concat(stdout), stderr };
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const message = isMissing
      ? `the program ${program} is needed for this; install it: apt install ${options.package}`
      : `${program} could not be run: ${reasonOf(cause)}`;
    throw new CommandError('failed', message, { cause });
  }
}
