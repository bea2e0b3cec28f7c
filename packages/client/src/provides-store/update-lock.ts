import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Gives the lock back. */
export type Release = () => Promise<void>;

/** Takes the lock for one update, or says that another process has it. */
export type TakeUpdateLock = () => Promise<Release | 'heldByOther'>;

/**
 * One update at a time on a device, whoever started it: the daemon from the poll to the end of the deployment, a standalone
 * command while it runs. A file that names its holder; a holder that is gone (power cut, SIGKILL) does not count.
 *
 * The file is linked into place complete, so nobody reads half of it. A stale file is moved away before the next attempt; should
 * two processes find it stale in the same instant, the second may move away the first one's fresh lock: who moved one that is
 * not the stale one puts it back. `holder` names this process and tells whether another lives.
 */
export function updateLock(datastore: string, holder: LockHolder = processHolder): TakeUpdateLock {
  const path = join(datastore, 'tandem-update.lock');
  return async () => {
    await mkdir(datastore, { recursive: true, mode: 0o700 });
    const own = `${path}.${randomUUID()}`;
    const self = await holder.self();
    await writeFile(own, self, { mode: 0o600 });
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        if (await linked(own, path)) {
          return async () => {
            if ((await readIfThere(path)) === self) await rm(path, { force: true });
          };
        }
        const found = await readIfThere(path);
        if (found !== undefined) {
          if (await holder.lives(found)) return 'heldByOther';
          await moveAwayStale(path, `${own}.stale`, found);
        }
      }
      return 'heldByOther';
    } finally {
      await rm(own, { force: true });
    }
  };
}

export interface LockHolder {
  /** One line that no other process, now or after a reboot, has too. */
  self(): Promise<string>;
  lives(holder: string): Promise<boolean>;
}

/** Boot, process id and the process's start time: a process id alone comes again. */
export const processHolder: LockHolder = {
  self: async () => holderLine(process.pid),
  lives: async (holder) => {
    const pid = Number(holder.split(' ')[1]);
    return Number.isSafeInteger(pid) && pid > 0 && (await holderLine(pid)) === holder;
  },
};

async function holderLine(pid: number): Promise<string> {
  const boot = (await readIfThere('/proc/sys/kernel/random/boot_id'))?.trim() ?? 'unknown-boot';
  const stat = await readIfThere(`/proc/${pid}/stat`);
  // Field 22 is the start time; fields are counted behind the program's name, which may hold spaces and brackets.
  const started = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return `${boot} ${pid} ${started ?? 'gone'}`;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function moveAwayStale(path: string, aside: string, stale: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readIfThere(aside)) !== stale) await linked(aside, path);
  await rm(aside, { force: true });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
