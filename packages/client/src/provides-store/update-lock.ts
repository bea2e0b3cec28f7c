import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { storageCallLimitMs, withinTime } from '../system/within-time.ts';

/** Gives the lock back. */
export type Release = () => Promise<void>;

/** Takes the lock for one update, or says that another process has it. */
export type TakeUpdateLock = () => Promise<Release | 'heldByOther'>;

/**
 * One update at a time on a device, whoever started it: the daemon from the poll to the end of the deployment, a standalone
 * command while it runs. A file that names its holder; a holder that is gone (power cut, SIGKILL) does not count. `holder` names
 * this process and tells whether another lives.
 *
 * INVARIANTS: the file is linked into place complete, so nobody reads half of it. It is removed by its holder, or as stale by who
 * has linked the file `.taking-over`, and has then found it stale once more: two that find it stale at once cannot remove each other's.
 */
export function updateLock(datastore: string, holder: LockHolder = processHolder): TakeUpdateLock {
  const path = join(datastore, 'tandem-update.lock');
  const take: TakeUpdateLock = async () => {
    await mkdir(datastore, { recursive: true, mode: 0o700 });
    const self = await holder.self();
    await removeLeftovers(datastore, self, holder);
    const own = `${path}.${randomUUID()}`;
    try {
      await writeFile(own, self, { mode: 0o600 });
      if (!(await linked(own, path))) {
        await removeStale(path, own, holder);
        if (!(await linked(own, path))) return 'heldByOther';
      }
      return async () => {
        if ((await readIfThere(path)) === self) await rm(path, { force: true });
      };
    } finally {
      await rm(own, { force: true });
    }
  };
  return async () => withinTime(take(), `Taking the lock ${path}`, storageCallLimitMs);
}

/** What a process left that was killed while it took the lock: files of its own that were not yet linked, or not removed. */
async function removeLeftovers(datastore: string, self: string, holder: LockHolder): Promise<void> {
  for (const name of await readdir(datastore)) {
    if (!ownFile.test(name)) continue;
    const path = join(datastore, name);
    const found = await readIfThere(path);
    // An empty one is being written, or was when its writer died; the next look at it, a minute later, tells.
    if (found === undefined || found === self) continue;
    if (found === '' ? await isOld(path) : !(await holder.lives(found))) await rm(path, { force: true });
  }
}

const ownFile = /^tandem-update\.lock\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function isOld(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && Math.abs(Date.now() - status.mtimeMs) > 60_000;
}

async function removeStale(path: string, own: string, holder: LockHolder): Promise<void> {
  if (!(await isStale(path, holder))) return;
  const takingOver = `${path}.taking-over`;
  // Left behind by a power cut within the few instructions below.
  if (await isStale(takingOver, holder)) await rm(takingOver, { force: true });
  if (!(await linked(own, takingOver))) return;
  try {
    if (await isStale(path, holder)) await rm(path, { force: true });
  } finally {
    await rm(takingOver, { force: true });
  }
}

async function isStale(path: string, holder: LockHolder): Promise<boolean> {
  const found = await readIfThere(path);
  return found !== undefined && !(await holder.lives(found));
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
