import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { BootEnvironmentError } from './errors.ts';

/** Takes a lock and gives what releases it. */
export type TakeLock = () => Promise<() => Promise<void>>;

/**
 * The lock of `flock(2)` on a file, as shell programs take it; the kernel releases it when this process ends, however it ends.
 * Throws `BootEnvironmentError` `io` when another program holds it for longer than `waitMs`.
 *
 * Node has no flock. The program flock locks the open file it inherits from us, and the lock stays with the file when it ends.
 */
export function fileLock(path: string, waitMs = 10_000): TakeLock {
  return async () => {
    const file = await open(path, 'a').catch((error: unknown) => {
      throw new BootEnvironmentError('io', `Cannot open the lock ${path}: ${String(error)}.`, error);
    });
    try {
      const until = performance.now() + waitMs;
      while (!(await tryLock(path, file.fd))) {
        if (performance.now() > until) {
          throw new BootEnvironmentError(
            'io',
            `Cannot lock the boot environment: another program has held ${path} for ${waitMs / 1000} s. See which: fuser ${path}`,
          );
        }
        await sleep(retryMs);
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    return () => file.close();
  };
}

const retryMs = 50;
const flockTimeoutMs = 10_000;

async function tryLock(path: string, descriptor: number): Promise<boolean> {
  const { code, reason } = await new Promise<{ code: number | null; reason: string }>((resolve, reject) => {
    // The short options are all that BusyBox knows.
    const flock = spawn('flock', ['-n', '3'], {
      stdio: ['ignore', 'ignore', 'pipe', descriptor],
      timeout: flockTimeoutMs,
    });
    let reason = '';
    flock.stderr?.setEncoding('utf8').on('data', (text: string) => (reason = (reason + text).slice(0, 500)));
    flock.once('error', (error) => {
      const message = `Cannot lock the boot environment: flock could not be started (${error.message}). Install util-linux.`;
      reject(new BootEnvironmentError('notSupported', message, error));
    });
    flock.once('close', (exitCode) => resolve({ code: exitCode, reason }));
  });
  if (code === 0) return true;
  if (code === 1) return false;
  throw new BootEnvironmentError('io', `Cannot lock ${path}: flock failed (${reason.trim()}).`);
}
