import { readFile, realpath, stat } from 'node:fs/promises';
import { ClientError } from '../client-error.ts';

/** A file system on a block device of its own. */
export interface FileSystem {
  readonly device: string;
  readonly deviceNumber: number;
  readonly sizeBytes: number;
  /** Where it is mounted, writable somewhere; undefined: nobody can change it. */
  readonly writableAt: string | undefined;
}

/** Where the kernel tells of devices and mounts; tests hand in others. */
export interface KernelFiles {
  /** /sys/dev/block */
  readonly blockDevices: string;
  /** /dev */
  readonly devices: string;
  /** /proc/self/mountinfo */
  readonly mounts: string;
}

export const kernelFiles: KernelFiles = {
  blockDevices: '/sys/dev/block',
  devices: '/dev',
  mounts: '/proc/self/mountinfo',
};

/**
 * The file system a path is on, or that is on the block device the path is. Throws `ClientError` `noSnapshot` for one without a block
 * device (overlay, tmpfs, btrfs, UBI), which cannot be read as a whole.
 */
export async function fileSystemOf(path: string, kernel: KernelFiles = kernelFiles): Promise<FileSystem> {
  const status = await stat(await realpath(path));
  const deviceNumber = status.isBlockDevice() ? status.rdev : status.dev;
  const [major, minor] = majorAndMinor(deviceNumber);
  const name = `${major}:${minor}`;
  if (major === 0) {
    throw new ClientError(
      'noSnapshot',
      `Cannot make a snapshot of ${path}: its file system is on no block device (overlay, tmpfs and the like).`,
    );
  }
  const about = `${kernel.blockDevices}/${name}`;
  const node = /^DEVNAME=(.+)$/m.exec(await readFile(`${about}/uevent`, 'utf8'))?.[1];
  if (node === undefined)
    throw new ClientError(
      'noSnapshot',
      `Cannot make a snapshot of ${path}: the kernel names no device for ${name}.`,
    );
  const mounts = (await readFile(kernel.mounts, 'utf8')).split('\n').map(mountOf);
  return {
    device: `${kernel.devices}/${node}`,
    deviceNumber,
    // The kernel counts in sectors of 512 bytes here, whatever the device's own.
    sizeBytes: Number((await readFile(`${about}/size`, 'utf8')).trim()) * 512,
    writableAt: mounts.find((mount) => mount.device === name && mount.writable)?.at,
  };
}

/** A line of mountinfo: `36 35 98:0 /root /mount/point options fields - type source superblock-options`. */
function mountOf(line: string): { device: string | undefined; at: string; writable: boolean } {
  const [mount = '', superblock = ''] = line.split(' - ');
  const words = mount.split(' ');
  // Of the superblock: a mount may be read-only where another one of the same file system is not.
  const options = (superblock.split(' ')[2] ?? '').split(',');
  const unescaped = (words[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_all, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return { device: words[2], at: unescaped, writable: options.includes('rw') };
}

/** The packing is that of the C library. */
function majorAndMinor(deviceNumber: number): readonly [number, number] {
  const packed = BigInt(deviceNumber);
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn);
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n);
  return [Number(major), Number(minor)];
}
