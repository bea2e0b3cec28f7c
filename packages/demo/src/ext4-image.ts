import { mkdir, open } from 'node:fs/promises';
import type { ProgramPaths } from './prerequisites.ts';
import { runProgram } from './run-program.ts';

/** Real ext4 file systems in plain files: made by mkfs.ext4, read by debugfs. No mount, no root. */

/** Makes an ext4 file system of exactly `sizeBytes` in `imagePath` from the files below `tree`. */
export async function makeExt4Image(
  programs: ProgramPaths,
  tree: string,
  imagePath: string,
  sizeBytes: number,
): Promise<void> {
  const file = await open(imagePath, 'w');
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
  await runProgram(programs['mkfs.ext4'], [
    '-q',
    '-F',
    '-b',
    '4096',
    '-L',
    'rootfs',
    '-E',
    'root_owner=0:0',
    '-d',
    tree,
    imagePath,
  ]);
}

/** The text of one file inside the image; undefined when the image has no such file or no readable file system. */
export async function readFromImage(
  programs: ProgramPaths,
  imagePath: string,
  path: string,
): Promise<string | undefined> {
  // debugfs exits 0 whatever happens; what it could not do it says on stderr, and stdout stays empty.
  const text = await runProgram(programs.debugfs, ['-R', `cat ${path}`, imagePath]);
  return text === '' ? undefined : text;
}

/** Copies the whole tree of the image into `directory`, as a kernel would show it mounted there. */
export async function extractImage(
  programs: ProgramPaths,
  imagePath: string,
  directory: string,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await runProgram(programs.debugfs, ['-R', `rdump / "${directory}"`, imagePath]);
}
