import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmod,
  copyFile,
  mkdir,
  readFile,
  readdir,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createGrubEnvironment, createUBootEnvironment } from '@tandem/boot-environment';
import { bootScript, goingBack } from '../../packages/image/src/u-boot/boot-script.ts';
import { scriptImage } from '../../packages/image/src/u-boot/script-image.ts';
import { rebootScript, systemScript } from './small-system.ts';
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
  /** What the device says here, it says at once and in the order of its requests to the other parts (`witness` of small-system.ts). */
  witness:     { at:  8 * MiB + 512 * 1024, sizeBytes: 64 * 1024 },
  rootA:       { at:  9 * MiB, sizeBytes:  4 * MiB },
  rootB:       { at: 13 * MiB, sizeBytes:  4 * MiB },
  data:        { at: 17 * MiB, sizeBytes:  6 * MiB },
} as const satisfies Record<string, Range>;
export const diskBytes = 23 * MiB;

export type PartName = keyof typeof parts;

/** One of something for each part. */
export const mapParts = <Value>(make: (name: PartName) => Value): Record<PartName, Value> => ({
  boot: make('boot'),
  environment: make('environment'),
  witness: make('witness'),
  rootA: make('rootA'),
  rootB: make('rootB'),
  data: make('data'),
});

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
  readonly story: Story;
  readonly disk: Buffer;
  /** What the update brings; as large as the partition. */
  readonly newImage: Buffer;
}

/** What becomes of the update: version 2 is well and commits, or reboots before it has started the client, and is gone back from. */
export type Story = 'commit' | 'rollback';

/** Makes the disk of a device that runs version 1 from partition 2. */
export async function makeSmallDisk(kind: BoardKind, story: Story, work: string): Promise<SmallDisk> {
  const disk = Buffer.alloc(diskBytes);
  writePartitionTable(disk);
  const put = async (range: Range, image: Promise<string>) => {
    (await readFile(await image)).copy(disk, range.at);
  };
  await put(parts.rootA, rootImage(join(work, 'a'), 1, {}));
  const newImage = await readFile(
    await rootImage(join(work, 'b'), 2, story === 'rollback' ? { 'etc/unwell': '' } : {}),
  );
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
    const { upgrade_available, ...first } = environment;
    // In the story of a commit so long that what the client changes does not lie in one sector, and only the locks tell a write that was
    // torn. GRUB, which cannot flush, must find what it changes of a rollback in one sector, as in our images.
    const further = story === 'commit' ? { board_arguments: 'x'.repeat(360) } : {};
    await createGrubEnvironment(join(work, 'boot/grub-mender-grubenv'), {
      ...first,
      ...further,
      upgrade_available,
    });
  } else {
    await writeTree(join(work, 'boot'), { 'boot.scr': scriptImage(bootScriptText(), 'boot', 0) });
    const file = join(work, 'environment');
    await writeFile(file, Buffer.alloc(parts.environment.sizeBytes));
    const copy = (offsetBytes: number) => ({ path: file, offsetBytes, sizeBytes: environmentCopyBytes });
    await createUBootEnvironment([copy(0), copy(environmentCopyBytes)], {
      ...environment,
      ...uBootDefaults(),
    });
    (await readFile(file)).copy(disk, parts.environment.at);
  }
  await put(parts.boot, vfat(join(work, 'boot')));
  return { kind, story, disk, newImage };
}

/** Kernel and content differ from version to version; noise, so that no block of the two is the same. */
async function rootImage(
  tree: string,
  version: number,
  further: Readonly<Record<string, string>>,
): Promise<string> {
  await writeTree(tree, {
    'boot/vmlinuz': randomBytes(256 * 1024),
    'boot/initrd.img': randomBytes(64 * 1024),
    'boot/content': randomBytes(MiB / 2),
    'etc/version': `${version}\n`,
    'sbin/init': systemScript,
    'sbin/reboot': rebootScript,
    ...further,
  });
  for (const name of ['init', 'reboot']) await chmod(join(tree, 'sbin', name), 0o755);
  for (const name of ['bin', 'boot/efi', 'data', 'dev', 'host', 'proc', 'sys', 'tmp', 'usr'])
    await mkdir(join(tree, name), { recursive: true });
  await copyFile('/bin/busybox', join(tree, 'bin/busybox'));
  await symlink('busybox', join(tree, 'bin/sh'));
  for (const name of ['lib', 'lib64']) await symlink(`usr/${name}`, join(tree, name));
  return ext4(tree, parts.rootA.sizeBytes);
}

async function writeTree(tree: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
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

/** The boot partition, as the image builder makes it. */
async function vfat(tree: string): Promise<string> {
  const path = `${tree}.vfat`;
  await writeFile(path, '');
  await truncate(path, parts.boot.sizeBytes);
  await run('mkfs.vfat', ['-F', '16', '-s', '1', path]);
  const names = await readdir(tree);
  await run('mcopy', ['-s', '-i', path, ...names.map((name) => join(tree, name)), '::']);
  return path;
}

/** What a board with U-Boot has as boot.scr, which nobody writes. */
function bootScriptText(): string {
  const partition = (number: number) => ({ number, kernelDevice: `/dev/mmcblk0p${number}` }) as never;
  return bootScript({
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
