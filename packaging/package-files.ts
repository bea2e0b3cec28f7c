import { chmod, copyFile, lstat, lutimes, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** One file of a package, by what it is made of. */
export type PackageFile = {
  /** Absolute, as it will be installed. */
  readonly path: string;
} & (
  | { readonly copyOf: string; readonly mode?: number }
  | { readonly text: string; readonly mode?: number }
  | { readonly bytes: Uint8Array; readonly mode?: number }
  /** A symbolic link, relative to where it lies. */
  | { readonly linkTo: string }
);

const fileMode = 0o644;
const directoryMode = 0o755;

/**
 * Lays the files out below `root`, a directory that is empty or not there. Modes are as given, whatever the umask; every time is
 * `modified` (seconds since 1970), so that the same files make the same package.
 */
export async function stageFiles(
  root: string,
  files: readonly PackageFile[],
  modified: number,
): Promise<void> {
  for (const file of files) {
    const path = join(root, file.path);
    await mkdir(dirname(path), { recursive: true });
    if ('linkTo' in file) {
      await symlink(file.linkTo, path);
      continue;
    }
    if ('copyOf' in file) await copyFile(file.copyOf, path);
    else await writeFile(path, 'text' in file ? file.text : file.bytes);
    await chmod(path, file.mode ?? fileMode);
  }
  await settle(root, modified);
}

/** From the leaves up: whatever is written into a directory changes its time. */
async function settle(path: string, modified: number): Promise<void> {
  if ((await lstat(path)).isDirectory()) {
    for (const name of await readdir(path)) await settle(join(path, name), modified);
    await chmod(path, directoryMode);
  }
  await lutimes(path, modified, modified);
}

/** Every file below a directory, to be installed below `path` under its own name. */
export async function filesBelow(directory: string, path: string): Promise<PackageFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted()
    .map((file) => ({ path: join(path, file.slice(directory.length)), copyOf: file }));
}
