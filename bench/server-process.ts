import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { bundleServer, serverCommand } from '../packaging/server.ts';

/** A server under measurement: a process of its own, its output in a file, so that nobody but itself pays for it. */
export interface MeasuredProcess {
  readonly url: URL;
  /** User and system time of all its threads since it started; the kernel counts hundredths. */
  readonly cpuSeconds: () => number;
  readonly residentMiB: () => number;
  /** The most it ever had. */
  readonly peakMiB: () => number;
  readonly stop: () => Promise<void>;
}

const project = resolve(import.meta.dirname, '..');
const startTimeoutMs = 60_000;
const ticksPerSecond = 100;

/** Ours, on plain HTTP, built and started as it is where it is installed. */
export async function startTandem(
  dataDirectory: string,
  options: readonly string[] = [],
): Promise<MeasuredProcess> {
  const home = mkdtempSync(join(tmpdir(), 'tandem-installed-'));
  await bundleServer(join(home, 'program'));
  symlinkSync(resolve(project, 'packages/web/dist'), join(home, 'web'));
  mkdirSync(join(home, 'bin'));
  symlinkSync(process.execPath, join(home, 'bin', 'node'));
  const command = join(home, 'bin', 'tandem-server');
  copyFileSync(serverCommand, command);
  chmodSync(command, 0o755);
  const served = ['serve', '--data-dir', dataDirectory, '--listen', '127.0.0.1:0', '--http', ...options];
  const server = await start(command, served, `${dataDirectory}.log`);
  return {
    ...server,
    stop: async () => {
      await server.stop();
      rmSync(home, { recursive: true });
    },
  };
}

/** One of the small servers of bench/server-bare.ts. */
export const startBare = (kind: string, databaseFile: string): Promise<MeasuredProcess> =>
  start(
    process.execPath,
    [resolve(import.meta.dirname, 'server-bare.ts'), kind, databaseFile],
    `${databaseFile}.${kind}.log`,
  );

/** The whole server with group commit or without: bench/server-grouping.ts. */
export const startGrouping = (
  grouping: 'together' | 'each',
  dataDirectory: string,
): Promise<MeasuredProcess> =>
  start(
    process.execPath,
    [resolve(import.meta.dirname, 'server-grouping.ts'), grouping, dataDirectory],
    `${dataDirectory}.${grouping}.log`,
  );

async function start(program: string, args: readonly string[], logPath: string): Promise<MeasuredProcess> {
  const log = openSync(logPath, 'w');
  const child = spawn(program, args, { stdio: ['ignore', log, log], cwd: '/' });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${program}`);
  const status = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) /
    1024;
  return {
    url: await readyUrl(child, logPath),
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    },
    residentMiB: () => status('VmRSS'),
    peakMiB: () => status('VmHWM'),
    stop: async () => {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function readyUrl(child: ChildProcess, logPath: string): Promise<URL> {
  for (const end = Date.now() + startTimeoutMs; Date.now() < end; await wait(20)) {
    const said = readFileSync(logPath, 'utf8');
    const url = /ready at (http:\S+)/.exec(said)?.[1];
    if (url !== undefined) return new URL(url);
    if (child.exitCode !== null) throw new Error(`the server ended before it was ready:\n${said}`);
  }
  child.kill('SIGKILL');
  throw new Error(`not ready within ${startTimeoutMs} ms: ${logPath}`);
}
