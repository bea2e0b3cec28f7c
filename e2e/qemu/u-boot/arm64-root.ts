import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '@tandem/demo';
import { serverName } from '../grub/guest-overlay.ts';
import { rootOnDisk } from '../small-guest/initial-ramdisk.ts';
import { makeSmallRoot } from '../small-guest/small-root.ts';

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
echo "guest: $(cat /etc/guest-release 2> /dev/null || echo guest-1) on $(sed 's/.*root=\\([^ ]*\\).*/\\1/' /proc/cmdline)"
while :; do
  mender-update daemon
  sleep 1
done
`;

const files: Readonly<Record<string, string>> = {
  'usr/sbin/init': init,
  'usr/sbin/reboot': '#!/bin/sh\nsync\numount /boot/efi /data\nexec /bin/busybox reboot -f\n',
  // No name of busybox: whoever starts it under another name means it all the same.
  'bin/false': '#!/bin/sh\nexit 1\n',
  'etc/hosts': `127.0.0.1 localhost guest\n10.0.2.2 ${serverName}\n`,
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
};

/** The root file system of the arm64 guests, without the client's packages, which are laid over it. Made in `cache` unless it is there. */
export async function makeArm64Root(cache: string): Promise<string> {
  const root = await makeSmallRoot(cache, {
    architecture: 'arm64',
    packages: [],
    files,
    ramdisk: rootOnDisk,
  });
  const tree = join(root, 'boot/virt.dtb');
  if (!existsSync(tree)) await deviceTree(tree);
  return root;
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
