import { appendFile, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { wordsOf } from '../client-error.ts';
import type { LogMessage } from '../server-connection/server-connection.ts';
import type { Log } from '../system/system.ts';
import { storageCallLimitMs, withinTime } from '../system/within-time.ts';
import type { ManagedRun } from './managed-run.ts';
import { deploymentOf, noteHangingStorage } from './deployment-run.ts';
import { openLogFile, type LogEnd } from './log-file.ts';

/** The log of one deployment: a file of one JSON object a line, which survives reboots and is uploaded when it fails. */
export interface DeploymentLog {
  readonly log: Log;
  /** What is logged so far survives a power cut. Throws `ClientError` `storageHangs`, and what the medium says. */
  sync(): Promise<void>;
  /** What goes to the server (client contract 9.3): within its limit, the newest last. */
  messages(): Promise<readonly LogMessage[]>;
  /** The fault of a medium that hangs. */
  readonly hanging: () => Error | undefined;
}

/**
 * Gives the run a log that also writes to the deployment's own file. With 'new', older deployments' logs move up by one. Without
 * room or rights for the file the deployment goes on, and the system's log says why its own is missing.
 */
export async function startDeploymentLog(run: ManagedRun, start: 'new' | 'continued'): Promise<void> {
  const { system, paths } = run.needs;
  try {
    const deploymentLog = await openDeploymentLog(paths.deploymentLogs, deploymentOf(run).id, start, () =>
      system.clock.now(),
    );
    run.deploymentLog = deploymentLog;
    run.log = (level, message) => {
      system.log(level, message);
      deploymentLog.log(level, message);
    };
  } catch (error) {
    system.log('error', `Could not open the deployment's log in ${paths.deploymentLogs}: ${wordsOf(error)}`);
    noteHangingStorage(run, error);
  }
}

/** `deployments.0000.ID.log` in the directory; the newest has number 0, at most five are kept. */
export async function openDeploymentLog(
  directory: string,
  deploymentId: string,
  start: 'new' | 'continued',
  now: () => number,
): Promise<DeploymentLog> {
  const path = join(directory, `deployments.0000.${safeId(deploymentId)}.log`);
  await withinTime(makeRoom(directory, path, start), `Opening ${path}`, storageCallLimitMs);
  const file = openLogFile(path);
  return {
    log: (level, message) => {
      if (level === 'trace' || level === 'debug') return;
      const line = JSON.stringify({ timestamp: new Date(now()).toISOString(), level, message });
      file.append(`${line}\n`);
    },
    sync: async () => file.sync(),
    messages: async () => logMessages(await file.end(maxReadBytes)),
    hanging: file.hanging,
  };
}

async function makeRoom(directory: string, path: string, start: 'new' | 'continued'): Promise<void> {
  await mkdir(directory, { recursive: true });
  if (start === 'new') await moveUpOlderLogs(directory, path);
  // Opened once for trial, so that a directory that takes no file is found here and not at the first line.
  await appendFile(path, '', { mode: 0o600 });
}

/**
 * A log's lines as the server takes them: lines that are no log entries replaced, the oldest left out beyond its limit, each of
 * which a first message tells.
 */
export function logMessages({ text, isCut }: LogEnd): readonly LogMessage[] {
  const lines = text.split('\n');
  const entries = (isCut ? lines.slice(1) : lines).filter((line) => line !== '').map(parseEntry);
  const kept: LogMessage[] = [];
  let sizeBytes = reservedBytes;
  for (const entry of entries.toReversed()) {
    sizeBytes += Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (sizeBytes > maxUploadBytes) break;
    kept.unshift(entry);
  }
  const at = kept[0]?.timestamp ?? new Date(0).toISOString();
  const notes: LogMessage[] = [];
  if (isCut || kept.length < entries.length) {
    notes.push({
      timestamp: at,
      level: 'warning',
      message: '(THE ORIGINAL LOGS WERE TOO BIG, THE OLDEST ENTRIES ARE LEFT OUT)',
    });
  }
  if (kept.some((entry) => entry.message === corruptMessage)) {
    notes.push({ timestamp: at, level: 'warning', message: '(THE ORIGINAL LOGS CONTAINED INVALID ENTRIES)' });
  }
  return [...notes, ...kept];
}

const corruptMessage = '(CORRUPTED LOG DATA)';
const maxUploadBytes = 1_000_000 - 256;
/** For the notes in front and the object around the list. */
const reservedBytes = 512;

function parseEntry(line: string): LogMessage {
  try {
    const { timestamp, level, message } = JSON.parse(line) as Readonly<Record<string, unknown>>;
    if (typeof timestamp === 'string' && typeof level === 'string' && typeof message === 'string') {
      return { timestamp, level, message };
    }
  } catch {
    // Told by the entry below.
  }
  return { timestamp: new Date(0).toISOString(), level: 'error', message: corruptMessage };
}

/** More than the server takes is not read: a log may have grown over many reboots. */
const maxReadBytes = 2_000_000;
const keptLogs = 5;
const minFreeBytes = 100 * 1024;

async function moveUpOlderLogs(directory: string, newest: string): Promise<void> {
  const logs = (await readdir(directory)).filter((name) => logName.test(name)).toSorted();
  const freeBytes = await statfs(directory).then((of) => of.bavail * of.bsize);
  const kept = freeBytes < minFreeBytes ? 0 : keptLogs - 1;
  for (const name of logs.slice(kept)) await rm(join(directory, name), { force: true });
  // From the oldest on, so that none is moved onto another.
  for (const [index, name] of [...logs.slice(0, kept).entries()].toReversed()) {
    const number = String(index + 1).padStart(4, '0');
    await rename(
      join(directory, name),
      join(directory, name.replace(logName, `deployments.${number}.$1.log`)),
    );
  }
  await rm(newest, { force: true });
}

const logName = /^deployments\.[0-9]{4}\.(.+)\.log$/;

/** The server's id as a part of a file name. */
const safeId = (id: string): string => id.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 100);
