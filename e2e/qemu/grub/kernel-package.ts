import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@tandem/demo';

/**
 * Makes a kernel package of another version out of Debian's own: the same kernel, the same scripts of its maker, other names. As
 * small as a device's disk wants it, with the modules the initrd is made of. Answers the path of `linux-image.deb` in the directory.
 */
export async function repackKernel(directory: string, version: string): Promise<string> {
  const work = join(directory, `kernel-${version}`);
  const tree = join(work, 'tree');
  await runProgram('mkdir', ['-p', work]);
  const depends = await runProgram('apt-cache', ['depends', 'linux-image-amd64']);
  const current = /Depends: (linux-image-\S+)/.exec(depends)?.[1] ?? '';
  await runProgram(
    'bash',
    ['-ec', 'cd "$1"; apt-get download "$2"; dpkg-deb --raw-extract ./*.deb tree', 'get', work, current],
    {
      timeoutMs: 300_000,
    },
  );
  const former = current.replace('linux-image-', '');
  const modules = join(tree, 'lib/modules');
  // The running kernel's modules stay where they are: what runs is the same kernel.
  const kept =
    ['nvme', 'fs/ext4', 'fs/jbd2', 'watchdog', 'crypto'].map((part) => `! -path '*/${part}/*'`).join(' ') +
    " ! -path './*/kernel/lib/*' ! -name mbcache.ko ! -name t10-pi.ko";
  const trim = `cd "$1"; find . -name '*.ko' ${kept} -delete`;
  await runProgram('bash', ['-ec', trim, 'trim', modules]);
  await rename(join(modules, former), join(modules, version));
  for (const name of await readdir(join(tree, 'boot')))
    await rename(join(tree, 'boot', name), join(tree, 'boot', name.replace(former, version)));
  for (const name of await readdir(join(tree, 'DEBIAN'))) {
    const path = join(tree, 'DEBIAN', name);
    if (name === 'md5sums') await runProgram('rm', [path]);
    else await writeFile(path, (await readFile(path, 'utf8')).replaceAll(former, version));
  }
  // Texts under the former name, which belong to the package that is installed.
  await rm(join(tree, 'usr/share'), { recursive: true });
  // It still calls itself by its former name, and asks its initrd for the modules of that.
  const hooks = join(tree, 'usr/share/initramfs-tools/hooks');
  await mkdir(hooks, { recursive: true });
  const hook = `#!/bin/sh\n[ "$1" = prereqs ] || [ "$version" != ${version} ] || ln -s ${version} "$DESTDIR/usr/lib/modules/${former}"\n`;
  await writeFile(join(hooks, 'former-name'), hook);
  await chmod(join(hooks, 'former-name'), 0o755);
  const output = join(work, 'linux-image.deb');
  await runProgram('dpkg-deb', ['--build', '--root-owner-group', '-Zzstd', '-z1', tree, output], {
    timeoutMs: 300_000,
  });
  return output;
}
