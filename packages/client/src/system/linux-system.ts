import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { filesInTime } from './files-in-time.ts';
import { linuxFiles } from './linux-files.ts';
import { linuxProcesses } from './linux-processes.ts';
import type { Clock, Log, System } from './system.ts';

export interface LinuxSystemOptions {
  readonly log: Log;
  /** The environment programs are started with, `PATH` above all. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Between SIGTERM and SIGKILL when a program is ended; 10 s when not given. */
  readonly killGraceMs?: number;
}

/** The running system. Made once, by `main.ts`. */
export function linuxSystem({ log, environment, killGraceMs }: LinuxSystemOptions): System {
  return {
    files: filesInTime(linuxFiles()),
    processes: linuxProcesses(environment, killGraceMs),
    clock: systemClock,
    log,
    reboot: (signal) => startReboot(environment, signal),
  };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    // Node's timers end at 2^31 - 1 ms; a longer wait is made of several.
    for (let left = ms; left > 0; left -= longestTimerMs) {
      await sleep(Math.min(left, longestTimerMs), undefined, { signal }).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error;
      });
    }
  },
};

const longestTimerMs = 2 ** 31 - 1;
/** `reboot` returns at once or never; waiting a moment tells a refusal from a reboot on its way. */
const rebootRefusalMs = 30_000;

/** `reboot` gets a session of its own and no pipe to us: it must go on when the system ends this process. */
async function startReboot(
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn('reboot', [], { env: { ...environment }, stdio: 'ignore', detached: true });
  const answer = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => {
      reject(
        new Error(`Cannot reboot: the program "reboot" could not be started (${error.message}).`, {
          cause: error,
        }),
      );
    });
    child.once('exit', (code, signalName) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`Cannot reboot: the program "reboot" ended with ${signalName ?? `exit code ${code}`}.`),
        );
    });
  });
  const enough = new AbortController();
  try {
    await Promise.race([
      answer,
      systemClock.sleep(rebootRefusalMs, AbortSignal.any([signal, enough.signal])),
    ]);
  } finally {
    enough.abort(new Error('reboot has been started'));
    answer.catch(() => undefined);
    child.unref();
  }
}
