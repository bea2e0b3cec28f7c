import { open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pieceBytes } from './limits.ts';

/** A file being written under a temporary name. */
export interface OutputFile {
  /** Appends all of the bytes, or with `position` writes over what is there; answers their number. */
  readonly write: (bytes: Uint8Array, position?: number) => Promise<number>;
  /** Moves `length` bytes from one position to another, where they end the file. */
  readonly move: (from: number, length: number, to: number) => Promise<void>;
}

/**
 * Writes a file that appears under its name only when it is complete and on disk: `PATH.tmp`, fsync, rename, fsync of the directory. A file
 * that is replaced gives its mode and, where we may, its owner; a link is followed. After a fault nothing is left behind.
 */
export async function writeOutputFile<T>(path: string, write: (file: OutputFile) => Promise<T>): Promise<T> {
  const target = await realpath(path).catch(() => path);
  const replaced = await stat(target).catch(() => undefined);
  const temporary = `${target}.tmp`;
  // What an earlier run left is removed and not opened: it could be a link that somebody put there.
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx+');
  const early = syncingEarly(file);
  try {
    const result = await write({
      write: async (bytes, position) => {
        const written = await writeAll(file, bytes, position ?? null);
        early.wrote(written);
        return written;
      },
      move: (from, length, to) => move(file, from, length, to),
    });
    if (replaced !== undefined) {
      await file.chmod(replaced.mode & 0o7777);
      // Only root may give files away; others keep what they write.
      await file.chown(replaced.uid, replaced.gid).catch(() => undefined);
    }
    await early.done();
    await file.sync();
    await file.close();
    await rename(temporary, target);
    await syncDirectory(dirname(target));
    return result;
  } catch (error) {
    await early.done().catch(() => undefined);
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

const syncEveryBytes = 16 * 1024 * 1024;

/**
 * Has the disk write while more is being made, so that little is left to wait for at the end. The system tells of a failed write only once:
 * whoever ends the file must ask `done`.
 */
function syncingEarly(file: FileHandle): { wrote: (bytes: number) => void; done: () => Promise<void> } {
  let unsynced = 0;
  let isSyncing = false;
  let last = Promise.resolve();
  return {
    wrote: (bytes) => {
      unsynced += bytes;
      if (isSyncing || unsynced < syncEveryBytes) return;
      unsynced = 0;
      isSyncing = true;
      // A failure stays in the chain until `done` is asked.
      last = last
        .then(() => file.datasync())
        .finally(() => {
          isSyncing = false;
        });
      last.catch(() => undefined);
    },
    done: () => last,
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number | null): Promise<number> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(
      bytes,
      at,
      bytes.length - at,
      position === null ? null : position + at,
    );
    at += bytesWritten;
  }
  return bytes.length;
}

async function move(file: FileHandle, from: number, length: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(length, pieceBytes));
  // Forwards from the end, backwards from the beginning: no piece is written over before it was read.
  for (let done = 0; done < length;) {
    const part = Math.min(buffer.length, length - done);
    const at = to > from ? length - done - part : done;
    const { bytesRead } = await file.read(buffer, 0, part, from + at);
    if (bytesRead !== part) throw new Error(`short read of ${bytesRead} bytes`);
    await writeAll(file, buffer.subarray(0, part), to + at);
    done += part;
  }
  await file.truncate(to + length);
}

/** Makes the new name durable. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
