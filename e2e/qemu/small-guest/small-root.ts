import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { runProgram } from '@tandem/demo';
import { debianArchive } from './debian-archive.ts';
import { initialRamdisk, type Ramdisk } from './initial-ramdisk.ts';

/** A root file system of Debian's packages, as small as the client needs it. */
export interface SmallRoot {
  readonly architecture: 'amd64' | 'arm64';
  /** Beside the full kernel, busybox, and what the client's Node is linked to. */
  readonly packages: readonly string[];
  /** By their paths without the first slash; what begins with `#!` is a program. */
  readonly files: Readonly<Record<string, string>>;
  readonly ramdisk: Ramdisk;
}

const usualPackages = ['busybox-static', 'libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'];
/** Names busybox is called by. */
const programs =
  'sh cat cmp cp date echo env grep hostname ip ls mkdir mount mv readlink rm sed sleep stat sync tr umount uname ' +
  'dirname basename test [ cut head awk tee touch id df setsid wc';
const directories = ['data', 'proc', 'sys', 'dev', 'run', 'tmp', 'root', 'var/lib', 'etc/mender', 'bin'];
/** All drivers are in the initrd, and nobody reads in such a guest. */
const leftOut = ['lib/modules', 'usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/perl5'];

/**
 * Made in `cache` unless it is there, with kernel and initrd as /boot/vmlinuz and /boot/initrd.img. Nothing of the packages is run, so that they may
 * be for another processor; the machine's own package management is not touched.
 */
export async function makeSmallRoot(cache: string, recipe: SmallRoot): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify([usualPackages, programs, recipe]));
  const place = join(cache, `${recipe.architecture}-${key.digest('hex').slice(0, 12)}`);
  if (existsSync(place)) return place;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'making-'));
  try {
    const root = join(work, 'root');
    await unpack(join(work, 'archive'), recipe, root);
    for (const name of directories) await mkdir(join(root, name), { recursive: true });
    for (const [path, text] of Object.entries(recipe.files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
      if (text.startsWith('#!')) await chmod(join(root, path), 0o755);
    }
    const boot = join(root, 'boot');
    const version = (await readdir(join(root, 'lib/modules')))[0] ?? '';
    await writeFile(join(boot, `initrd.img-${version}`), await initialRamdisk(root, recipe.ramdisk));
    for (const name of ['vmlinuz', 'initrd.img']) await symlink(`${name}-${version}`, join(boot, name));
    for (const path of [...leftOut, `boot/System.map-${version}`])
      await rm(join(root, path), { recursive: true, force: true });
    for (const program of programs.split(' '))
      await symlink('busybox', join(root, 'bin', program)).catch(() => undefined);
    await rename(root, place);
    return place;
  } finally {
    await rm(work, { recursive: true });
  }
}

async function unpack(archive: string, { architecture, packages }: SmallRoot, root: string): Promise<void> {
  const debian = await debianArchive(archive, architecture);
  const kernel = (await debian.dependenciesOf(`linux-image-${architecture}`)).filter((name) =>
    name.startsWith('linux-image-'),
  );
  await debian.fetch('download', ...usualPackages, ...packages, ...kernel);
  for (const name of await readdir(archive))
    if (name.endsWith('.deb')) await runProgram('dpkg-deb', ['-x', join(archive, name), root]);
}
