import { join } from 'node:path';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { runProgram } from '@tandem/demo';
import { ramdiskBegins, ramdiskEnds, type Ramdisk } from '../small-guest/initial-ramdisk.ts';
import { makeSmallRoot } from '../small-guest/small-root.ts';

/** Erase blocks of the flash, which is a disk to QEMU and MTD to Linux. */
export const eraseBlockBytes = 128 << 10;
/** The two copies of U-Boot's environment lie on a disk of their own. */
export const environmentDisk = { serial: 'environment', copyBytes: 0x4000 } as const;
/** By their numbers; the client knows the root file systems by name. */
export const volumes = { data: 0, rootfsa: 1, rootfsb: 2 } as const;
/** Of the simulated chip's 8192 erase blocks two are bad from the start, and each 128th goes bad when it is erased the second time. */
export const simulatedChip = {
  bad: [5, 90],
  weak: Array.from({ length: 64 }, (_, index) => 40 + index * 128),
};

const { bad, weak } = simulatedChip;
const nandsim = `badblocks=${bad.join(',')} weakblocks=${weak.map((block) => `${String(block)}:1`).join(',')}`;

const copyHex = `0x${environmentDisk.copyBytes.toString(16)}`;
const environmentConfiguration = `/dev/boot-environment 0x0 ${copyHex}\n/dev/boot-environment ${copyHex} ${copyHex}\n`;

/**
 * Stands in for a U-Boot on raw flash: counts the starts of an update on trial, goes back from one that was not committed, and starts the volume that the
 * environment names. The environment is read and written by U-Boot's own tools for Linux.
 */
const boot = `/bin/busybox --install -s /bin
mkdir -p /var/lock
for second in 1 2 3 4 5 6 7 8 9 10; do
  # Controllers are found in no order.
  for name in $(ls /sys/class/nvme); do
    case $(cat /sys/class/nvme/$name/serial) in
      tandem*) flash=/dev/\${name}n1 ;;
      ${environmentDisk.serial}*) ln -sf \${name}n1 /dev/boot-environment ;;
    esac
  done
  [ -b "$flash" ] && [ -b /dev/boot-environment ] && break
  sleep 1
done
insmod /lib/block2mtd.ko block2mtd=$flash,${String(eraseBlockBytes)}
insmod /lib/ubi.ko mtd=0
insmod /lib/ubifs.ko
insmod /lib/nandsim.ko ${nandsim}
part=$(fw_printenv -n mender_boot_part)
available=$(fw_printenv -n upgrade_available)
if [ "$available" = 1 ]; then
  count=$(($(fw_printenv -n bootcount) + 1))
  if [ $count -gt 1 ]; then
    echo 'boot: the update on trial was not committed, going back'
    [ "$part" = ${String(volumes.rootfsa)} ] && part=${String(volumes.rootfsb)} || part=${String(volumes.rootfsa)}
    available=0
    printf 'mender_boot_part=%s\\nupgrade_available=0\\n' $part > /changes
  else
    echo "bootcount=$count" > /changes
  fi
  fw_setenv -s /changes
fi
echo "Tandem: starting partition $part, upgrade_available=$available"
mount -t ubifs -o ro ubi0_$part /root || exit 1
`;

const library = (name: string, directory = 'usr/lib') => ({
  [`usr/lib/${name}`]: `${directory}/x86_64-linux-gnu/${name}`,
});

const ramdisk: Ramdisk = {
  drivers: ['nvme', 'virtio_pci', 'virtio_net', 'virtio-rng', 'crc32c_generic', 'zstd', 'lzo', 'deflate'],
  later: ['block2mtd', 'ubi', 'ubifs', 'nandsim'],
  files: {
    'bin/fw_printenv': 'usr/bin/fw_printenv',
    'bin/fw_setenv': 'usr/bin/fw_printenv',
    'etc/fw_env.config': 'etc/fw_env.config',
    'lib64/ld-linux-x86-64.so.2': 'lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    ...library('libubootenv.so.0'),
    ...library('libyaml-0.so.2'),
    ...library('libz.so.1', 'lib'),
    ...library('libc.so.6', 'lib'),
  },
  init: `${ramdiskBegins}${boot}${ramdiskEnds}`,
};

const init = `#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux PS1='root@guest:~# '
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t ubifs ubi0:data /data
mkdir -p /run/lock
hostname guest
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
echo "guest: $(cat /etc/guest-release) on $(sed -n 's|^\\(ubi[^ ]*\\) / .*|\\1|p' /proc/mounts)"
while :; do setsid -c bash --noprofile --norc < /dev/ttyS0 > /dev/ttyS0 2>&1; sleep 1; done
`;

const client = { RootfsPartA: 'ubi0:rootfsa', RootfsPartB: 'ubi0:rootfsb', BootEnvironment: 'u-boot' };

const files = {
  'usr/sbin/init': init,
  'usr/sbin/reboot':
    '#!/bin/sh\necho guest: reboots\nsync\numount /data\nsync\nexec /bin/busybox reboot -f\n',
  'etc/guest-release': 'guest-1\n',
  'etc/fw_env.config': environmentConfiguration,
  'etc/mender/mender.conf': `${JSON.stringify(client)}\n`,
  'etc/hosts': '127.0.0.1 localhost guest\n',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
};

export interface UbiRoot {
  readonly root: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** A root file system with the client's packages in `directory`, and the kernel and initrd that start it from a volume. */
export async function makeUbiRoot(
  cache: string,
  directory: string,
  clientPackages: readonly string[],
): Promise<UbiRoot> {
  const small = await makeSmallRoot(cache, {
    architecture: 'amd64',
    packages:
      'bash libtinfo6 mtd-utils liblzo2-2 libzstd1 libuuid1 libssl3 libselinux1 libpcre2-8-0 libubootenv0.1 libubootenv-tool libyaml-0-2 zlib1g'.split(
        ' ',
      ),
    files,
    ramdisk,
  });
  const root = join(directory, 'root');
  await runProgram('cp', ['-a', small, root]);
  for (const path of clientPackages) await runProgram('dpkg-deb', ['-x', path, root]);
  await rm(join(root, 'boot'), { recursive: true });
  await symlink('/data/mender', join(root, 'var/lib/mender'));
  const data = join(directory, 'data');
  await mkdir(join(data, 'mender'), { recursive: true });
  await writeFile(join(data, 'mender/device_type'), 'device_type=ubi-guest\n');
  return { root, kernel: join(small, 'boot/vmlinuz'), initrd: join(small, 'boot/initrd.img') };
}
