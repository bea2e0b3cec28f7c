import { constants } from 'node:fs';
import {
  access,
  mkdir,
  open as openFile,
  readdir,
  rename as renameFile,
  rm as removeFile,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Files } from './system.ts';

/** What is asked of the file system where something is changed; `node:fs/promises` has more. */
export interface FileOperations {
  readonly open: (path: string, flags: string, mode?: number) => Promise<OpenedFile>;
  readonly rename: (from: string, to: string) => Promise<void>;
  readonly rm: (
    path: string,
    options: { readonly recursive?: boolean; readonly force: boolean },
  ) => Promise<void>;
  readonly mkdir: (
    path: string,
    options: { readonly recursive: true; readonly mode: number },
  ) => Promise<string | undefined>;
}

export type OpenedFile = Pick<FileHandle, 'chmod' | 'sync' | 'close'> & {
  readonly writeFile: (content: Uint8Array | string) => Promise<void>;
  readonly stat: () => Promise<{ readonly size: number }>;
  readonly read: (
    buffer: Buffer,
    offset: number,
    length: number,
    position: null,
  ) => Promise<{ readonly bytesRead: number }>;
};

export const nodeFileOperations: FileOperations = {
  open: openFile,
  rename: renameFile,
  rm: removeFile,
  mkdir,
};

/** Files of the running system. Errors are those of `node:fs`, with the path in them. */
export function linuxFiles(operations: FileOperations = nodeFileOperations): Files {
  const { open, rename, rm } = operations;
  let temporaries = 0;
  return {
    read: (path, maxBytes) => orWhenMissing(readBounded(path, maxBytes, operations), undefined),

    async writeDurably(path, content, mode = 0o600) {
      // The process id keeps two programs apart that write the same file, the counter two writes of one program.
      temporaries += 1;
      const temporary = `${path}.${process.pid}-${temporaries}.tmp`;
      try {
        // Left by a process that was killed here; the same number comes again after a reboot.
        await rm(temporary, { force: true });
        const file = await open(temporary, 'wx', mode);
        try {
          // The mode given to open is narrowed by the umask.
          await file.chmod(mode);
          await file.writeFile(content);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await syncDirectory(dirname(path), operations);
    },

    async removeDurably(path) {
      await rm(path, { recursive: true, force: true });
      await orWhenMissing(syncDirectory(dirname(path), operations), undefined);
    },

    makeDirectoryDurably: (path, mode) => makeDirectoryDurably(path, mode, operations),

    async list(path) {
      const names = await orWhenMissing(readdir(path, { encoding: 'buffer' }), undefined);
      return names?.sort((a, b) => Buffer.compare(a, b)).map((name) => name.toString());
    },

    async kind(path) {
      const status = await orWhenMissing(stat(path), undefined);
      if (status === undefined) return undefined;
      const kind = status.isFile() ? 'file' : status.isDirectory() ? 'directory' : 'other';
      const executable = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      return { kind, executable } as const;
    },
  };
}

async function readBounded(
  path: string,
  maxBytes: number,
  { open }: Pick<FileOperations, 'open'>,
): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    // The size is not asked for: files of /proc and /sys say 0.
    const bytes = Buffer.alloc(Math.min(maxBytes + 1, (await file.stat()).size + 65_536));
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, 0, bytes.length, null);
      if (bytesRead === 0) return Buffer.concat(chunks);
      total += bytesRead;
      if (total > maxBytes) throw new Error(`Cannot read ${path}: it is larger than ${maxBytes} bytes.`);
      chunks.push(Buffer.from(bytes.subarray(0, bytesRead)));
    }
  } finally {
    await file.close();
  }
}

async function makeDirectoryDurably(path: string, mode = 0o700, operations: FileOperations): Promise<void> {
  const first = await operations.mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  // Each directory made is an entry of its parent, and that entry is what must be on disk.
  for (let made = path; made.length >= first.length; made = dirname(made))
    await syncDirectory(dirname(made), operations);
}

async function syncDirectory(path: string, { open }: Pick<FileOperations, 'open'>): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function orWhenMissing<Value, Missing>(
  promise: Promise<Value>,
  missing: Missing,
): Promise<Value | Missing> {
  try {
    return await promise;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return missing;
    throw error;
  }
}
