import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { copiesOf } from '@tandem/artifact';
import { lineSplitter } from './line-splitter.ts';
import type { Processes, ProcessResult, RunOptions, StartedProcess } from './system.ts';

/** How long a group has between SIGTERM and SIGKILL, by default. */
export const defaultKillGraceMs = 10_000;

const defaultMaxOutputBytes = 64 * 1024;
/** A program that has ended may have left a child behind that holds its output open; it is not waited for. */
const lateOutputMs = 500;

/** Programs of the running system. `environment` is what each program gets, before its own additions. */
export function linuxProcesses(
  environment: Readonly<Record<string, string | undefined>>,
  killGraceMs = defaultKillGraceMs,
): Processes {
  const start: Processes['start'] = (program, args, options) =>
    startInOwnGroup(program, args, options, environment, killGraceMs);
  return { start, run: (program, args, options) => start(program, args, options).exited };
}

function startInOwnGroup(
  program: string,
  args: readonly string[],
  options: RunOptions,
  environment: Readonly<Record<string, string | undefined>>,
  killGraceMs: number,
): StartedProcess {
  if (options.signal.aborted)
    return { exited: Promise.reject(reasonOf(options.signal)), kill: () => undefined };

  // `detached` makes it the leader of a session and a process group, so that one signal reaches all its children.
  const child = spawn(program, args, {
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    env: { ...environment, ...options.environment },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const maxOutputBytes = options.maxOutputBytes ?? defaultMaxOutputBytes;
  const output = {
    stdout: collect(child.stdout, maxOutputBytes, options, (line) => options.onLine?.('stdout', line)),
    stderr: collect(child.stderr, maxOutputBytes, options, (line) => options.onLine?.('stderr', line)),
  };
  let timedOut = false;
  let ending: Promise<void> | undefined;
  let ended = false;
  const endGroup = () => {
    if (!ended && child.pid !== undefined) ending ??= endProcessGroup(child.pid, killGraceMs);
  };

  let broken: { readonly cause: unknown } | undefined;
  const fed = feed(child.stdin, options.input).catch((cause: unknown) => {
    broken = { cause };
    endGroup();
  });

  const exited = (async (): Promise<ProcessResult> => {
    const timer = setTimeout(() => {
      timedOut = true;
      endGroup();
    }, options.timeoutMs);
    options.signal.addEventListener('abort', endGroup, { once: true });
    try {
      const { exitCode, signal } = await new Promise<{ exitCode: number | null; signal: string | null }>(
        (resolve, reject) => {
          child.once('error', (error) => {
            reject(new Error(`Cannot start ${program}: ${error.message}.`, { cause: error }));
          });
          child.once('exit', (code, signalName) => {
            resolve({ exitCode: code, signal: signalName });
          });
        },
      );
      ended = true;
      await ending;
      await Promise.all([output.stdout.end(), output.stderr.end()]);
      await fed;
      if (options.signal.aborted && ending !== undefined && !timedOut) throw reasonOf(options.signal);
      if (broken !== undefined) throw broken.cause;
      return {
        exitCode: exitCode ?? undefined,
        signal: signal ?? undefined,
        timedOut,
        stdout: output.stdout.text(),
        stderr: output.stderr.text(),
      };
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', endGroup);
    }
  })();
  return { exited, kill: endGroup };
}

/** Gives the program what it is to read. Rejects when that breaks off; that a program ends without reading it is its own affair. */
async function feed(stdin: Writable | null, input: RunOptions['input']): Promise<void> {
  if (stdin === null || input === undefined) return;
  if (typeof input === 'string' || input instanceof Uint8Array) {
    stdin.on('error', () => undefined).end(input);
    return;
  }
  let broken: { readonly cause: unknown } | undefined;
  async function* watched(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      // The pipe holds pieces until the program has read them, and the content wants each back before it gives the next.
      yield* copiesOf(content);
    } catch (cause) {
      broken = { cause };
      throw cause;
    }
  }
  await pipeline(watched(input), stdin).catch(() => undefined);
  if (broken !== undefined) throw broken.cause;
}

/** Resolves when no process of the group is left, at the latest a second after SIGKILL. */
async function endProcessGroup(leader: number, graceMs: number): Promise<void> {
  if (!signalGroup(leader, 'SIGTERM')) return;
  if (await groupGone(leader, graceMs)) return;
  signalGroup(leader, 'SIGKILL');
  await groupGone(leader, 1_000);
}

async function groupGone(leader: number, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs;
  while (performance.now() < until) {
    if (!signalGroup(leader, 0)) return true;
    await sleep(10);
  }
  return !signalGroup(leader, 0);
}

function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

/** Keeps the first bytes of a stream and lets the rest run out, so that the program never waits for us. */
function collect(
  stream: Readable | null,
  maxBytes: number,
  { outputEncoding = 'utf8' }: Pick<RunOptions, 'outputEncoding'>,
  onLine: (line: string) => void,
) {
  const lines = lineSplitter(onLine);
  const chunks: Buffer[] = [];
  let kept = 0;
  const closed = new Promise<void>((resolve) => {
    if (stream === null) {
      resolve();
      return;
    }
    stream.once('close', resolve);
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => {
      if (kept >= maxBytes) return;
      const part = chunk.subarray(0, maxBytes - kept);
      kept += part.length;
      chunks.push(part);
      lines.write(part);
    });
  });
  return {
    async end() {
      const late = new AbortController();
      await Promise.race([
        closed,
        sleep(lateOutputMs, undefined, { signal: late.signal }).catch(() => undefined),
      ]);
      late.abort();
      stream?.destroy();
      lines.end();
    },
    text: () => Buffer.concat(chunks).toString(outputEncoding),
  };
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}
