import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeDurably } from '../write-durably.ts';
import { ObjectStorageError } from './object-storage.ts';

const keyBytes = 32;

/**
 * The key that download links are signed with, from a file that only the server may read; made on first use. It outlives the
 * process, so that a device goes on with the link it has when the server was restarted.
 * Throws ObjectStorageError `unreadable` for a file that holds anything else: no link is ever signed with less than was meant.
 */
export async function readOrMakeLinkKey(path: string): Promise<Uint8Array> {
  const found = await readKey(path);
  if (found === undefined) {
    const key = randomBytes(keyBytes);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeDurably(path, key, 0o600);
    return key;
  }
  if (found.length !== keyBytes) {
    throw new ObjectStorageError(
      'unreadable',
      `reading the key of download links, ${path}: it has ${found.length} bytes, not ${keyBytes}; ` +
        'restore it from a backup, or remove it: then the links given out so far no longer count',
    );
  }
  await chmod(path, 0o600);
  return found;
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
