import { spawn } from 'node:child_process';
import { ImageError } from './image-error.ts';

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly input?: string;
  /** Told each line of either output as it comes. */
  readonly onLine?: (line: string) => void;
  /** Default ten minutes. */
  readonly limitMs?: number;
}

/**
 * Runs a program to its end and answers its standard output (the last 16 MiB at most). Throws `ImageError`: programMissing, or programFailed
 * with what it said.
 */
export type RunProgram = (program: string, args: readonly string[], options?: RunOptions) => Promise<string>;

const mostOutputBytes = 16 << 20;
const usualLimitMs = 600_000;

/** Debian keeps the programs for file systems where users do not look. */
export const searchPath = (environment: Readonly<Record<string, string | undefined>>): string =>
  `${environment['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

/** Programs in one language and time zone, whatever the user's, so that what they make is the same everywhere. */
export function programRunner(
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): RunProgram {
  return (program, args, options = {}) => {
    const child = spawn(program, args, {
      cwd: options.directory,
      env: {
        ...environment,
        PATH: searchPath(environment),
        LC_ALL: 'C.UTF-8',
        TZ: 'UTC',
        MTOOLS_SKIP_CHECK: '1',
        DEBUGFS_PAGER: 'cat',
        ...options.environment,
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(options.limitMs ?? usualLimitMs)]),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    const lines = { stdout: '', stderr: '' };
    const tell = (stream: keyof typeof lines, text: string) => {
      if (options.onLine === undefined) return;
      const [last = '', ...whole] = `${lines[stream]}${text}`.split('\n').toReversed();
      lines[stream] = last.slice(-mostOutputBytes);
      for (const line of whole.toReversed()) options.onLine(line);
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-mostOutputBytes);
      tell('stdout', text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-mostOutputBytes);
      tell('stderr', text);
    });
    child.stdin.on('error', () => undefined); // a program may end without reading its input
    child.stdin.end(options.input ?? '');
    return new Promise((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) => {
        if (signal.aborted) return reject(signal.reason as Error);
        reject(
          cause.code === 'ENOENT'
            ? new ImageError('programMissing', `the program ${program} is needed and not installed`, {
                cause,
              })
            : new ImageError('programFailed', `${program} could not be run: ${cause.message}`, { cause }),
        );
      });
      child.once('close', (code, ended) => {
        if (code === 0) return resolve(output);
        const said = (errors.trim() === '' ? output : errors).trim().split('\n').slice(-20).join('\n');
        const how = ended === null ? `exit status ${String(code)}` : ended;
        reject(new ImageError('programFailed', `${program} ${args.join(' ')} ended with ${how}: ${said}`));
      });
    });
  };
}
