import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createGrubEnvironment, createUBootEnvironment } from '@tandem/boot-environment';
import { bootScript, goingBack } from '../../packages/image/src/u-boot/boot-script.ts';
import { scriptImage } from '../../packages/image/src/u-boot/script-image.ts';
import type { Range } from './write-log.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;
/** The features the image builder gives its file systems. */
const imageFileSystems = resolve(import.meta.dirname, '../../packages/image/support/mke2fs.conf');

/** A whole device's disk, as small as its file systems allow. U-Boot's environment lies where its configuration has it. */
// prettier-ignore
export const parts = {
  boot:        { at:  1 * MiB, sizeBytes:  6 * MiB },
  environment: { at:  8 * MiB, sizeBytes: 256 * 1024 },
  rootA:       { at:  9 * MiB, sizeBytes:  4 * MiB },
  rootB:       { at: 13 * MiB, sizeBytes:  4 * MiB },
  data:        { at: 17 * MiB, sizeBytes:  6 * MiB },
} as const satisfies Record<string, Range>;
export const diskBytes = 23 * MiB;

/** Partition number of each, as the bootloader and the client count. */
export const partitionNumbers = { boot: 1, rootA: 2, rootB: 3, data: 4 } as const;

export const environmentCopyBytes = 128 * 1024;

export type BoardKind = 'grub' | 'u-boot';

/** How the device's environment stands before the update: it was updated before, so that the last trial was counted. */
const environment = {
  mender_boot_part: '2',
  mender_boot_part_hex: '2',
  upgrade_available: '0',
  bootcount: '1',
  bootlimit: '1',
} as const;

export interface SmallDisk {
  readonly kind: BoardKind;
  readonly disk: Buffer;
  /** What the update brings; as large as the partition. */
  readonly newImage: Buffer;
}

/** Makes the disk of a device that runs version 1 from partition 2. */
export async function makeSmallDisk(kind: BoardKind, work: string): Promise<SmallDisk> {
  const disk = Buffer.alloc(diskBytes);
  writePartitionTable(disk);
  const put = async (range: Range, image: Promise<string>) => {
    (await readFile(await image)).copy(disk, range.at);
  };
  await put(parts.rootA, rootImage(join(work, 'a'), 1));
  const newImage = await readFile(await rootImage(join(work, 'b'), 2));
  randomBytes(parts.rootB.sizeBytes).copy(disk, parts.rootB.at);

  const store = {
    'artifact-name': 'version-1',
    'artifact-provides': { 'rootfs-image.version': 'version-1' },
  };
  await writeTree(join(work, 'data'), {
    'mender/device_type': 'device_type=virtual\n',
    'mender/tandem-store.json': `${JSON.stringify(store)}\n`,
  });
  await put(parts.data, ext4(join(work, 'data'), parts.data.sizeBytes));

  if (kind === 'grub') {
    await createGrubEnvironment(join(work, 'boot/grub-mender-grubenv'), environment);
    await put(parts.boot, ext4(join(work, 'boot'), parts.boot.sizeBytes));
  } else {
    await put(parts.boot, bootScriptDisk(join(work, 'boot')));
    const file = join(work, 'environment');
    await writeFile(file, Buffer.alloc(parts.environment.sizeBytes));
    const copy = (offsetBytes: number) => ({ path: file, offsetBytes, sizeBytes: environmentCopyBytes });
    await createUBootEnvironment([copy(0), copy(environmentCopyBytes)], {
      ...environment,
      ...uBootDefaults(),
    });
    (await readFile(file)).copy(disk, parts.environment.at);
  }
  return { kind, disk, newImage };
}

/** Kernel and content differ from version to version; noise, so that no block of the two is the same. */
async function rootImage(tree: string, version: number): Promise<string> {
  await writeTree(tree, {
    'boot/vmlinuz': randomBytes(256 * 1024),
    'boot/initrd.img': randomBytes(64 * 1024),
    'usr/content': randomBytes(2 * MiB),
    'etc/version': `${version}\n`,
  });
  return ext4(tree, parts.rootA.sizeBytes);
}

async function writeTree(tree: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(tree, name, '..'), { recursive: true });
    await writeFile(join(tree, name), content);
  }
}

async function ext4(tree: string, sizeBytes: number): Promise<string> {
  const path = `${tree}.ext4`;
  await rm(path, { force: true });
  await writeFile(path, '');
  await truncate(path, sizeBytes);
  // The smallest journal there is; a root file system that is never written needs none.
  const journal = sizeBytes > parts.rootA.sizeBytes ? ['-J', 'size=1', '-N', '128'] : ['-O', '^has_journal'];
  await run('mkfs.ext4', ['-q', '-t', 'ext4', '-F', '-b', '1024', ...journal, '-d', tree, path], {
    env: { ...process.env, MKE2FS_CONFIG: imageFileSystems },
  });
  return path;
}

/** The boot partition of a board with U-Boot: boot.scr alone, which nobody writes. */
async function bootScriptDisk(work: string): Promise<string> {
  await mkdir(work, { recursive: true });
  const partition = (number: number) => ({ number, kernelDevice: `/dev/mmcblk0p${number}` }) as never;
  const text = bootScript({
    settings: {
      environment: 'redundant',
      bootLimit: 1,
      kernels: ['/boot/vmlinuz'],
      initialRamdisks: ['/boot/initrd.img'],
      deviceTree: '',
    } as never,
    bootCommand: 'booti',
    rootA: partition(partitionNumbers.rootA),
    rootB: partition(partitionNumbers.rootB),
    kernelArguments: 'quiet',
  });
  await writeFile(join(work, 'boot.scr'), scriptImage(text, 'boot', 0));
  const path = join(work, 'boot.vfat');
  await writeFile(path, '');
  await truncate(path, parts.boot.sizeBytes);
  await run('mkfs.vfat', [path]);
  await run('mcopy', ['-i', path, join(work, 'boot.scr'), '::boot.scr']);
  return path;
}

/** What the sandbox's U-Boot has compiled in, as far as it is needed; an environment on the disk replaces all of that. */
function uBootDefaults(): Record<string, string> {
  const partition = (number: number) => ({ number, kernelDevice: '' }) as never;
  return {
    bootcmd:
      'devtype=mmc; devnum=0; distro_bootpart=1; load mmc 0:1 ${scriptaddr} /boot.scr && source ${scriptaddr}; poweroff',
    scriptaddr: '0x1000000',
    kernel_addr_r: '0x2000000',
    ramdisk_addr_r: '0x4000000',
    ...goingBack({ rootA: partition(partitionNumbers.rootA), rootB: partition(partitionNumbers.rootB) }),
  };
}

/** Four primary partitions, by sectors. */
function writePartitionTable(disk: Buffer): void {
  for (const [name, number] of Object.entries(partitionNumbers)) {
    const { at, sizeBytes } = parts[name as keyof typeof partitionNumbers];
    const entry = 446 + (number - 1) * 16;
    disk[entry + 4] = name === 'boot' ? 0x0c : 0x83;
    disk.writeUInt32LE(at / 512, entry + 8);
    disk.writeUInt32LE(sizeBytes / 512, entry + 12);
  }
  disk.writeUInt16LE(0xaa55, 510);
}
