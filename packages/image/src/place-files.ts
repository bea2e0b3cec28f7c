import { chmod, copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import type { ImageFile } from './image-file.ts';
import { rootTree } from './root-tree.ts';

/**
 * Puts files into a tree that is to become a file system, over what is there. Links on the way are followed inside the tree, as its device
 * would, never out of it.
 */
export async function placeFiles(files: readonly ImageFile[], directory: string): Promise<void> {
  for (const file of files) {
    const path = await placeFor(file.path, directory);
    if ('directory' in file) {
      await makeDirectory(path, file.mode);
      continue;
    }
    await rm(path, { recursive: true, force: true });
    if ('linkTo' in file) {
      await symlink(file.linkTo, path);
      continue;
    }
    if ('copyOf' in file) await copyFile(file.copyOf, path);
    else await writeFile(path, 'text' in file ? file.text : file.bytes);
    await chmod(path, file.mode ?? 0o644);
  }
}

/** Removes what matches; `*` stands for any characters of a last component. */
export async function removeFiles(paths: readonly string[], directory: string): Promise<void> {
  const tree = rootTree(directory);
  for (const path of paths) {
    const parent = await tree.resolve(dirname(path));
    if (parent === undefined) continue;
    const [before = '', behind] = basename(path).split('*');
    for (const name of await tree.list(dirname(path))) {
      const matches =
        behind === undefined ? name === before : name.startsWith(before) && name.endsWith(behind);
      if (matches) await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}

/** Where a path of the tree lies on this machine, the directories above it made where there are none. */
async function placeFor(path: string, directory: string): Promise<string> {
  const tree = rootTree(directory);
  const normal = posix.normalize(`/${path}`);
  const there = await tree.resolve(dirname(normal));
  if (there !== undefined) return join(there, basename(normal));
  const parent = await placeFor(dirname(normal), directory);
  await makeDirectory(parent);
  return join(parent, basename(normal));
}

async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}
