import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';

/** The root file system in a directory of this machine, for looking. Its links are followed as they would be with it as `/`. */
export interface RootTree {
  readonly directory: string;
  /** Where a path of the root file system lies on this machine, all links followed; undefined when it is not there. */
  readonly resolve: (path: string) => Promise<string | undefined>;
  /** The beginning of a file, 1 MiB at most; undefined when it is not there or may not be read. */
  readonly readText: (path: string) => Promise<string | undefined>;
  readonly readBytes: (path: string, mostBytes: number) => Promise<Buffer | undefined>;
  /** Names in a directory, sorted; none when it is not there. */
  readonly list: (path: string) => Promise<readonly string[]>;
  readonly exists: (path: string) => Promise<boolean>;
}

const mostTextBytes = 1 << 20;
const mostLinks = 40;

export function rootTree(directory: string): RootTree {
  const resolve = async (path: string): Promise<string | undefined> => {
    let links = 0;
    let done = '/';
    const ahead = path.split('/').filter(Boolean);
    for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
      const next = posix.join(done, name);
      const found = await lstat(join(directory, next)).catch(() => undefined);
      if (found === undefined) return undefined;
      if (!found.isSymbolicLink()) {
        done = next;
        continue;
      }
      if ((links += 1) > mostLinks) return undefined;
      const target = await readlink(join(directory, next));
      if (target.startsWith('/')) done = '/';
      ahead.unshift(...target.split('/').filter(Boolean));
    }
    return join(directory, done);
  };
  const readBytes = async (path: string, mostBytes: number): Promise<Buffer | undefined> => {
    const found = await resolve(path);
    if (found === undefined) return undefined;
    const file = await open(found, 'r').catch(() => undefined);
    if (file === undefined) return undefined;
    try {
      if (!(await file.stat()).isFile()) return undefined;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  };
  return {
    directory,
    resolve,
    readBytes,
    readText: async (path) => (await readBytes(path, mostTextBytes))?.toString(),
    list: async (path) => {
      const found = await resolve(path);
      const names: string[] = found === undefined ? [] : await readdir(found).catch(() => []);
      return names.toSorted();
    },
    exists: async (path) => (await resolve(path)) !== undefined,
  };
}
