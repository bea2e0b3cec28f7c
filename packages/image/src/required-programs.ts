import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { Board } from './board.ts';
import type { Bootloader } from './bootloader.ts';
import { ImageError } from './image-error.ts';
import type { Options } from './options.ts';
import { searchPath } from './run-program.ts';
import type { World } from './world.ts';

type Need = readonly [
  program: string,
  debianPackage: string,
  isNeeded: (board: Board, options: Options) => boolean,
];

const always = () => true;
/** A dry run writes no images. */
const toWrite = (_: Board, options: Options) => !options['dry-run'];
// prettier-ignore
const needs: readonly Need[] = [
  ['mkfs.ext4', 'e2fsprogs', toWrite],
  ['dumpe2fs', 'e2fsprogs', toWrite],
  ['debugfs', 'e2fsprogs', always],
  ['sfdisk', 'fdisk', toWrite],
  ['tar', 'tar', always],
  ['bash', 'bash', always],
  ['find', 'findutils', always],
  ['mkfs.vfat', 'dosfstools', (board, options) => toWrite(board, options) && board['boot.sizeMiB'] > 0],
  ['mcopy', 'mtools', (board, options) => toWrite(board, options) && board['boot.sizeMiB'] > 0],
  ['unshare', 'util-linux', (_, options) => options.package.length > 0],
  ['gzip', 'gzip', (_, options) => options['compress-image'] === 'gzip'],
  ['xz', 'xz-utils', (_, options) => options['compress-image'] === 'xz'],
  ['zstd', 'zstd', (_, options) => options['compress-image'] === 'zstd'],
];

/** Throws `ImageError` (programMissing) with all that is missing at once. */
export async function requirePrograms(
  board: Board,
  bootloader: Bootloader,
  options: Options,
  world: World,
): Promise<void> {
  const wanted = [
    ...needs
      .filter(([, , isNeeded]) => isNeeded(board, options))
      .map(([name, from]) => [name, from] as const),
    ...Object.entries(bootloader.programs),
  ];
  const missing: (readonly [string, string])[] = [];
  for (const one of wanted) if (!(await isInstalled(one[0], world))) missing.push(one);
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name).join(', ');
  const packages = [...new Set(missing.map(([, from]) => from))].join(' ');
  throw new ImageError('programMissing', `${names} not installed; install: apt install ${packages}`);
}

async function isInstalled(program: string, world: World): Promise<boolean> {
  for (const directory of searchPath(world.environment).split(':').filter(Boolean)) {
    const found = await access(join(directory, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
