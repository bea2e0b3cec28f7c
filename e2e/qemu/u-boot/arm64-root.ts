import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { runProgram } from '@tandem/demo';
import { debianArchive } from './debian-archive.ts';
import { serverName } from '../grub/guest-overlay.ts';
import { initialRamdisk } from './initial-ramdisk.ts';

/** Shell and C library, and what the client's Node is linked to; the kernel is found by name, the client's packages are laid over it. */
const packages = ['busybox-static', 'libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'];
/** Names busybox is called by. */
const programs =
  'sh cat cp date echo env false grep hostname ip ls mkdir mount mv readlink rm sed sleep stat sync tr umount uname ' +
  'dirname basename test [ cut head awk tee touch id df wc';

/** The first process: mounts what fstab says, starts the network and the client, and tells the serial line. */
const init = `#!/bin/sh
PATH=/usr/bin:/bin:/usr/sbin:/sbin; export PATH
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -a
hostname guest
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
mkdir -p /data/mender
echo "guest: $(cat /etc/guest-release) on $(sed 's/.*root=\\([^ ]*\\).*/\\1/' /proc/cmdline)"
while :; do
  mender-update daemon
  sleep 1
done
`;

const files: Readonly<Record<string, string>> = {
  'usr/sbin/init': init,
  'usr/sbin/reboot':
    '#!/bin/sh\necho guest: reboots\nsync\numount /boot/efi /data\nexec /bin/busybox reboot -f\n',
  'etc/guest-release': 'guest-1\n',
  'etc/hosts': `127.0.0.1 localhost guest\n10.0.2.2 ${serverName}\n`,
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
};

/**
 * A root file system of Debian's arm64 packages, unpacked without running anything of them: as small as the client needs it, made in `cache`
 * unless it is there. The machine's own package management is not touched, and need not know arm64.
 */
export async function makeArm64Root(cache: string): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify([packages, programs, files]));
  const place = join(cache, `arm64-${key.digest('hex').slice(0, 12)}`);
  if (existsSync(place)) return place;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'making-'));
  try {
    const archive = join(work, 'archive');
    const debian = await debianArchive(archive, 'arm64');
    const kernel = (await debian.dependenciesOf('linux-image-arm64')).filter((name) =>
      name.startsWith('linux-image-'),
    );
    await debian.fetch('download', ...packages, ...kernel);
    const fetched = (await readdir(archive))
      .filter((name) => name.endsWith('.deb'))
      .map((name) => join(archive, name));
    const root = join(work, 'root');
    for (const path of fetched) await runProgram('dpkg-deb', ['-x', path, root]);
    const boot = join(root, 'boot');
    const version = (await readdir(join(root, 'lib/modules')))[0] ?? '';
    await writeFile(join(boot, `initrd.img-${version}`), await initialRamdisk(root));
    for (const name of ['vmlinuz', 'initrd.img']) await symlink(`${name}-${version}`, join(boot, name));
    await deviceTree(join(boot, 'virt.dtb'));
    // All drivers are in the initrd, and nobody reads in this guest.
    for (const path of [
      'lib/modules',
      'usr/share/doc',
      'usr/share/man',
      'usr/share/locale',
      `boot/System.map-${version}`,
    ])
      await rm(join(root, path), { recursive: true, force: true });
    for (const name of ['data', 'proc', 'sys', 'dev', 'run', 'tmp', 'root', 'var/lib', 'etc/mender'])
      await mkdir(join(root, name), { recursive: true });
    for (const program of programs.split(' '))
      await symlink('busybox', join(root, 'bin', program)).catch(() => undefined);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
      if (text.startsWith('#!')) await chmod(join(root, path), 0o755);
    }
    await rename(root, place);
    return place;
  } finally {
    await rm(work, { recursive: true });
  }
}

/** The one of the package u-boot-qemu: it neither counts boots nor keeps two environments. */
export const debianUBoot = '/usr/lib/u-boot/qemu_arm64/u-boot.bin';

/** The memory and processors of the machine are in its device tree. */
export const guestMachine = { memoryMiB: 768, processors: 2 } as const;

/**
 * QEMU's own, written out, so that a device tree of the root file system's /boot is what the kernel gets. With a firmware, any, since the machine
 * has other devices with one.
 */
const deviceTree = (path: string): Promise<string> =>
  runProgram('qemu-system-aarch64', [
    '-machine',
    `virt,dumpdtb=${path}`,
    '-bios',
    debianUBoot,
    '-cpu',
    'cortex-a57',
    '-smp',
    String(guestMachine.processors),
    '-m',
    String(guestMachine.memoryMiB),
    '-display',
    'none',
    '-nodefaults',
    '-serial',
    'null',
  ]);
