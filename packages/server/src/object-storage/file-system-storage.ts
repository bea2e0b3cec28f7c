import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import {
  assertKey,
  isKeyPart,
  ObjectStorageError,
  wrongSize,
  type ObjectKey,
  type ObjectStorage,
  type OpenObject,
  type PutOptions,
  type StoredObject,
} from './object-storage.ts';

const readChunkBytes = 256 * 1024;
const writeChunkBytes = 1024 ** 2;

/** Objects as files `DIRECTORY/<tenant>/<id>`. What is being written stands in `DIRECTORY/.incoming`. */
export async function openFileSystemStorage(directory: string): Promise<ObjectStorage> {
  const incoming = join(directory, '.incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await syncDirectory(directory);

  return {
    put: async (key, source, options = {}) => {
      const path = objectPath(directory, key);
      const temporary = join(incoming, `${randomUUID()}.tmp`);
      try {
        await writeDurably(temporary, source, options);
        await makeTenantDirectory(directory, key.tenant);
        // A hard link instead of a rename: it never replaces what is there.
        await link(temporary, path);
      } catch (error) {
        throw hasCode(error, 'EEXIST')
          ? new ObjectStorageError('exists', `storing object ${key.id}: there is one of this id`, {
              cause: error,
            })
          : error;
      } finally {
        await rm(temporary, { force: true });
      }
      await syncDirectory(join(directory, key.tenant));
      return describe(await stat(path, { bigint: true }));
    },

    get: async (key) => {
      const file = await openIfThere(objectPath(directory, key));
      return file && openObject(file, await statOrClose(file));
    },

    head: async (key) => {
      const file = await openIfThere(objectPath(directory, key));
      if (file === undefined) return undefined;
      try {
        return describe(await file.stat({ bigint: true }));
      } finally {
        await file.close();
      }
    },

    delete: async (key) => {
      try {
        await unlink(objectPath(directory, key));
        await syncDirectory(join(directory, key.tenant));
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    },

    keys: async function* (olderThanMs) {
      const tenants = await readdir(directory, { withFileTypes: true });
      for (const tenant of tenants.filter((entry) => entry.isDirectory() && isKeyPart(entry.name))) {
        for (const id of await readdir(join(directory, tenant.name))) {
          const path = join(directory, tenant.name, id);
          if (await isOlder(path, olderThanMs)) yield { tenant: tenant.name, id };
        }
      }
    },

    removeUnfinished: async (olderThanMs) => {
      let removed = 0;
      for (const name of await readdir(incoming)) {
        const path = join(incoming, name);
        if (!(await isOlder(path, olderThanMs))) continue;
        await rm(path, { recursive: true, force: true });
        removed += 1;
      }
      return removed;
    },

    links: undefined,
  };
}

async function isOlder(path: string, olderThanMs: number): Promise<boolean> {
  if (olderThanMs === 0) return true;
  try {
    return Date.now() - (await stat(path)).mtimeMs > olderThanMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function writeDurably(
  path: string,
  source: AsyncIterable<Uint8Array>,
  { sizeBytes, signal }: PutOptions,
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  let written = 0;
  // A form comes in pieces of 64 KiB; to write each by itself costs a turn of the thread pool each.
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  const flush = async () => {
    await writeWhole(file, Buffer.concat(waiting));
    waiting = [];
    waitingBytes = 0;
  };
  try {
    for await (const chunk of source) {
      signal?.throwIfAborted();
      written += chunk.length;
      if (sizeBytes !== undefined && written > sizeBytes) break;
      waiting.push(chunk);
      waitingBytes += chunk.length;
      if (waitingBytes >= writeChunkBytes) await flush();
    }
    await flush();
    if (sizeBytes !== undefined && written !== sizeBytes) {
      throw wrongSize(sizeBytes, written);
    }
    signal?.throwIfAborted();
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, offset);
    offset += bytesWritten;
  }
}

function openObject(file: FileHandle, stored: StoredObject): OpenObject {
  return {
    ...stored,
    close: () => file.close(),
    content: (first, last) => readSlice(file, first, last),
  };
}

// Not file.createReadStream: a file that ends early must end the connection with an error, never the answer as if it were whole.
function readSlice(file: FileHandle, first: number, last: number): Readable {
  const close = callbackify(() => file.close());
  let position = first;
  const readChunk = async (): Promise<Buffer | null> => {
    if (position > last) return null;
    const wanted = Math.min(readChunkBytes, last - position + 1);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
    if (bytesRead === 0)
      throw new ObjectStorageError('unreadable', `reading an object: it ends at byte ${position}`);
    position += bytesRead;
    return buffer.subarray(0, bytesRead);
  };
  return new Readable({
    highWaterMark: readChunkBytes,
    read() {
      readChunk().then(
        (chunk) => this.push(chunk),
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      close((failure) => done(error ?? failure));
    },
  });
}

async function statOrClose(file: FileHandle): Promise<StoredObject> {
  try {
    return describe(await file.stat({ bigint: true }));
  } catch (error) {
    await file.close();
    throw error;
  }
}

// Size, time and inode: an id whose artifact was deleted and uploaded anew has another tag.
const describe = ({ size, mtimeNs, ino }: { size: bigint; mtimeNs: bigint; ino: bigint }): StoredObject => ({
  sizeBytes: Number(size),
  etag: `"${size.toString(36)}-${mtimeNs.toString(36)}-${ino.toString(36)}"`,
});

function objectPath(directory: string, key: ObjectKey): string {
  assertKey(key);
  return join(directory, key.tenant, key.id);
}

async function makeTenantDirectory(directory: string, tenant: string): Promise<void> {
  const made = await mkdir(join(directory, tenant), { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncDirectory(directory);
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
