import { Readable, Writable } from 'node:stream';
import { runCommand } from '../run-command.ts';

export interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

/** Runs the command line in this process and gathers what it writes. */
export async function run(
  args: readonly string[],
  options: {
    environment?: Record<string, string>;
    programName?: string;
    signal?: AbortSignal;
    stdin?: string;
    isTerminal?: boolean;
  } = {},
): Promise<Result> {
  const out = gathering();
  const err = gathering();
  const exitCode = await runCommand(args, {
    stdin: Readable.from([Buffer.from(options.stdin ?? '')]),
    stdout: out.stream,
    stderr: err.stream,
    isTerminal: options.isTerminal ?? false,
    environment: { TZ: 'UTC', ...options.environment },
    programName: options.programName ?? 'mender-artifact',
    signal: options.signal ?? new AbortController().signal,
  });
  const stdoutBytes = out.bytes();
  return { exitCode, stdout: stdoutBytes.toString(), stderr: err.bytes().toString(), stdoutBytes };
}

function gathering(): { stream: Writable; bytes: () => Buffer } {
  const pieces: Buffer[] = [];
  const stream = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      done();
    },
  });
  return { stream, bytes: () => Buffer.concat(pieces) };
}
