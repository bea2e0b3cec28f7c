import { copyFile, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Architecture } from './board-keys.ts';
import { ImageError } from './image-error.ts';
import type { Privileges } from './privileges.ts';

/** Where they lie in the root file system meanwhile. */
const inside = '/tmp/tandem-packages';

/**
 * Installs Debian packages by the root file system's own dpkg, their scripts included. A file of the configuration that is there already is kept.
 * Throws `ImageError` (packageFailed) with what dpkg said, as what a package depends on and is not there.
 */
export async function installPackages(
  packages: readonly string[],
  root: string,
  architecture: Architecture,
  privileges: Privileges,
): Promise<void> {
  const directory = join(root, inside);
  await mkdir(directory);
  try {
    for (const path of packages) {
      await copyFile(path, join(directory, basename(path))).catch((cause: unknown) => {
        throw new ImageError('packageFailed', `cannot read the package ${path}`, { cause });
      });
    }
    const paths = packages.map((path) => join(inside, basename(path)));
    await privileges.runInside(root, architecture, ['dpkg', ...dpkgOptions, '--install', ...paths]);
  } catch (cause) {
    if (!(cause instanceof ImageError) || cause.code !== 'programFailed') throw cause;
    const hint = /dependency problems/.test(cause.message)
      ? ' Install what is missing where the root file system is made, or give its packages too.'
      : '';
    throw new ImageError('packageFailed', `the packages cannot be installed: ${cause.message}${hint}`, {
      cause,
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Without asking, and without flushing each file: the whole image is flushed at its end. */
const dpkgOptions = ['--force-confold', '--force-unsafe-io'] as const;
