import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const startTimeoutMs = 30_000;

export interface ServerProcess {
  readonly url: string;
  /** All that was printed so far. */
  readonly output: () => string;
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal it died of. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | string | null>;
}

/** A real server process on a free port; `launch` is what is started, its own main file by default. */
export async function startServerProcess(
  dataDirectory: string,
  options: readonly string[] = ['--http'],
  launch: readonly [string, ...string[]] = [process.execPath, main],
): Promise<ServerProcess> {
  const [program, ...before] = launch;
  const args = [...before, 'serve', '--data-dir', dataDirectory, '--listen', '127.0.0.1:0', ...options];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
  const lines: string[] = [];
  const exited = once(child, 'exit');
  const ready = new Promise<string>((resolve, reject) => {
    const impatience = setTimeout(() => {
      reject(new Error(`not ready within ${startTimeoutMs} ms: ${lines.join('\n')}`));
      // Left alone, it would keep the test's process from ending.
      child.kill('SIGKILL');
    }, startTimeoutMs);
    const listen = (line: string) => {
      lines.push(line);
      // Where it listens, which is not what it is called when it has a public URL.
      const url = /^Tandem is ready at .*?(https?:[^ ()]+)\)?$/.exec(line)?.[1];
      if (url !== undefined) {
        clearTimeout(impatience);
        resolve(url);
      }
    };
    createInterface({ input: child.stdout }).on('line', listen);
    createInterface({ input: child.stderr }).on('line', listen);
    child.once('exit', (code) => {
      clearTimeout(impatience);
      reject(new Error(`ended with ${code} before it was ready: ${lines.join('\n')}`));
    });
  });
  return {
    url: await ready,
    output: () => lines.join('\n'),
    process: child,
    end: async (signal) => {
      child.kill(signal);
      const [code, diedOf] = (await exited) as [number | null, string | null];
      return code ?? diedOf;
    },
  };
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, in a process of its own. */
export async function runServerCommand(args: readonly string[], input = ''): Promise<CommandResult> {
  const child = spawn(process.execPath, [main, ...args], { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => void (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (output.stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}
