import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** What runs before the root file system is there. */
export interface Ramdisk {
  /** Drivers that are loaded, in order, besides what they depend on. */
  readonly drivers: readonly string[];
  /** Drivers that `init` loads itself, from /lib/NAME.ko; what they depend on is loaded before. */
  readonly later: readonly string[];
  /** Files that are there, too: by their path, those of the root file system; without the first slash. */
  readonly files: Readonly<Record<string, string>>;
  /** The program for /init, a script of busybox; /modules lists the drivers' files below /lib. */
  readonly init: string;
}

/** Loads the drivers. */
export const ramdiskBegins = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules); do /bin/busybox insmod /lib/$module; done
`;
/** Goes on in what is mounted at /root. */
export const ramdiskEnds = `/bin/busybox umount /sys
/bin/busybox umount /proc
/bin/busybox mount --move /dev /root/dev
# Without one the first process ends, and the kernel panics.
exec /bin/busybox switch_root /root /usr/sbin/init
`;

/** Mounts what `root=` of the kernel's command line names. */
export const rootOnDisk: Ramdisk = {
  drivers: [
    'mmc_block',
    'sdhci-pci',
    'nvme',
    'virtio_pci',
    'virtio_net',
    'virtio-rng',
    'crc32c_generic',
    'ext4',
    'vfat',
    'nls_cp437',
    'nls_ascii',
    'nls_iso8859-1',
  ],
  later: [],
  files: {},
  init: `${ramdiskBegins}for word in $(/bin/busybox cat /proc/cmdline); do case $word in root=*) root=\${word#root=};; esac; done
for second in 1 2 3 4 5 6 7 8 9 10; do [ -b "$root" ] && break; /bin/busybox sleep 1; done
/bin/busybox mount -t ext4 "$root" /root || exit 1
${ramdiskEnds}`,
};

/** An initrd of busybox and the drivers. `root` has the packages unpacked, the kernel's among them. */
export async function initialRamdisk(root: string, ramdisk: Ramdisk): Promise<Uint8Array> {
  const { drivers, later } = ramdisk;
  const all = await modulesWithDependencies(root, [...drivers, ...later]);
  const loaded = all.filter((path) => !later.map(nameOf).includes(nameOf(path)));
  const files = { 'bin/busybox': 'bin/busybox', ...ramdisk.files };
  const copied = [
    ...Object.entries(files).map(([name, path]) => ({ name, from: join(root, path), mode: 0o100755 })),
    ...all.map((path) => ({ name: `lib/${basename(path)}`, from: path, mode: 0o100644 })),
  ];
  return gzipSync(
    Buffer.concat([
      ...parentsOf(copied.map(({ name }) => name)).map((name) => entry(name, 0o040755, Buffer.alloc(0))),
      entry('init', 0o100755, Buffer.from(ramdisk.init)),
      entry('modules', 0o100644, Buffer.from(loaded.map((path) => `${basename(path)}\n`).join(''))),
      ...(await Promise.all(
        copied.map(async ({ name, from, mode }) => entry(name, mode, await readFile(from))),
      )),
      entry('TRAILER!!!', 0, Buffer.alloc(0)),
    ]),
  );
}

/** Each directory before what is in it. */
const parentsOf = (paths: readonly string[]): string[] => [
  ...new Set(
    paths.flatMap((path) => {
      const parts = path.split('/').slice(0, -1);
      return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    }),
  ),
];

/** Paths in an order in which each comes after what it needs. A driver the kernel has built in is none. */
async function modulesWithDependencies(root: string, wanted: readonly string[]): Promise<string[]> {
  const below = join(root, 'lib/modules');
  const names = await readdir(below, { recursive: true });
  const paths = new Map(
    names.filter((name) => name.endsWith('.ko')).map((name) => [nameOf(name), join(below, name)]),
  );
  const ordered = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const path = paths.get(name);
    if (path === undefined || ordered.has(path)) return;
    const [, needed = ''] = /\0depends=([^\0]*)\0/.exec(await readFile(path, 'latin1')) ?? [];
    for (const other of needed.split(',').filter(Boolean)) await add(nameOf(other));
    ordered.add(path);
  };
  for (const driver of wanted) await add(nameOf(driver));
  return [...ordered];
}

const nameOf = (path: string): string => basename(path, '.ko').replaceAll('-', '_');

/** One file of a cpio archive in the form "newc", as the kernel reads it (Documentation/driver-api/early-userspace/buffer-format.rst). */
function entry(name: string, mode: number, content: Uint8Array): Buffer {
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  const fields = [0, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0].map(hex).join('');
  return Buffer.concat([padded(Buffer.from(`070701${fields}${name}\0`)), padded(content)]);
}

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
