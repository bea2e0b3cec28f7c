import { open } from 'node:fs/promises';
import { CommandError } from '../exit-status.ts';

/** Files inside a file system inside an image. Paths are absolute in that file system. All throw `CommandError`. */
export interface ImageFileSystem {
  readonly kind: 'ext' | 'fat';
  /** Copies a file out of it. */
  readonly read: (path: string, hostPath: string) => Promise<void>;
  /** Copies a file into it, over what is there. `mode` is of the permission bits; without it the file's own are kept. */
  readonly write: (hostPath: string, path: string, mode?: number) => Promise<void>;
  readonly makeDirectory: (path: string) => Promise<void>;
  readonly remove: (path: string, isRecursive: boolean) => Promise<void>;
  readonly exists: (path: string) => Promise<boolean>;
}

/** Where a file system lies: in a file of its own or in a partition. */
export interface ImagePlace {
  readonly file: string;
  readonly offsetBytes: number;
  readonly signal: AbortSignal;
}

export async function readAt(file: string, position: number, length: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await handle.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Throws for a path the programs' own little languages would take for something else. */
export function assertPlainPath(path: string): void {
  const isPlain = path.startsWith('/') && !/["\\\n\r\0]/.test(path) && !path.split('/').includes('..');
  if (!isPlain) throw new CommandError('failed', `"${path}" is not a path that can be used inside an image`);
}
