import { realpath, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { ClientError } from '../client-error.ts';
import type { Files } from '../system/system.ts';
import { ubiNodeOf, ubiVolumeAt, ubiWordOfRoot, usualUbiClass, type UbiVolume } from './ubi-volume.ts';

/** A place for a root file system, as the bootloader numbers it. */
export interface RootfsPartition {
  /** The device or plain file itself, links followed. */
  readonly path: string;
  /** The digits at the end of its name: the value of `mender_boot_part`. */
  readonly number: number;
  /** Device number when it is a block device. */
  readonly deviceNumber: number | undefined;
  /** Set when it is a volume on raw flash, which is written in its own way. */
  readonly ubiVolume?: UbiVolume | undefined;
}

/** Where devices and mounts show; tests hand in others. */
export interface PartitionPlaces {
  readonly devices: string;
  readonly mounts: string;
  readonly ubiClass: string;
}

export const usualPlaces: PartitionPlaces = {
  devices: '/dev',
  mounts: '/proc/self/mounts',
  ubiClass: usualUbiClass,
};

export type PartitionPair = readonly [RootfsPartition, RootfsPartition];

/**
 * The two partitions RootfsPartA and RootfsPartB name (client contract 17.1): device nodes, links to them, UBI volumes by number
 * (`ubi0_3`) or name (`ubi0:rootfsa`), or plain files that stand for partitions. Throws `ClientError` `badPartitions`.
 */
export async function findPartitions(
  rootfsPartA: string,
  rootfsPartB: string,
  places = usualPlaces,
): Promise<PartitionPair> {
  if (rootfsPartA === '' || rootfsPartB === '') {
    throw new ClientError(
      'badPartitions',
      'Cannot install a root file system: RootfsPartA and RootfsPartB are not both set in mender.conf.',
    );
  }
  const pair = [
    await findPartition('RootfsPartA', rootfsPartA, places),
    await findPartition('RootfsPartB', rootfsPartB, places),
  ] as const;
  const [a, b] = pair;
  if (a.path === b.path || a.number === b.number) {
    throw new ClientError(
      'badPartitions',
      `Cannot tell the partitions apart: RootfsPartA is ${a.path} and RootfsPartB is ${b.path}; their numbers must differ.`,
    );
  }
  return pair;
}

/** The one of the pair with the number the bootloader's variable `mender_boot_part` holds. */
export function partitionByNumber(pair: PartitionPair, bootPart: string | undefined): RootfsPartition {
  const found = pair.find(({ number }) => String(number) === bootPart?.trim());
  if (found !== undefined) return found;
  throw new ClientError(
    'badPartitions',
    `The boot environment names partition ${bootPart ?? '(none)'} as active (mender_boot_part), ` +
      `and the configuration knows ${pair[0].number} and ${pair[1].number} (RootfsPartA, RootfsPartB).`,
  );
}

export function otherPartition([a, b]: PartitionPair, one: RootfsPartition): RootfsPartition {
  return one.number === a.number ? b : a;
}

/**
 * The one of the pair this system runs from: whose device number the root directory has, or whose UBI volume is mounted there; where
 * that is neither's (an overlay, a plain file), the one that `root=` on the kernel command line names. Throws `ClientError` `badPartitions` when that cannot
 * be told, because writing to the running root file system would destroy the device.
 */
export async function runningPartition(
  files: Pick<Files, 'read'>,
  pair: PartitionPair,
  kernelCommandLine: string,
  places = usualPlaces,
): Promise<RootfsPartition> {
  const onFlash = await mountedVolume(files, pair, places);
  if (onFlash !== undefined) return onFlash;
  const rootDevice = (await stat('/')).dev;
  const mounted = pair.find(({ deviceNumber }) => deviceNumber === rootDevice);
  if (mounted !== undefined) return mounted;

  const bytes = await files.read(kernelCommandLine, 64 * 1024);
  const root = rootParameter(Buffer.from(bytes ?? '').toString());
  const path = root === undefined ? undefined : await resolved(await deviceOfRootParameter(root, places));
  const named = pair.find((partition) => partition.path === path);
  if (named !== undefined) return named;
  throw new ClientError(
    'badPartitions',
    `Cannot tell which root file system is running: "/" is on neither ${pair[0].path} nor ${pair[1].path}, ` +
      `and root= in ${kernelCommandLine} is ${root ?? 'missing'}. Correct RootfsPartA and RootfsPartB.`,
  );
}

async function mountedVolume(
  files: Pick<Files, 'read'>,
  pair: PartitionPair,
  places: PartitionPlaces,
): Promise<RootfsPartition | undefined> {
  if (pair.every(({ ubiVolume }) => ubiVolume === undefined)) return undefined;
  const mounts = Buffer.from((await files.read(places.mounts, 1024 * 1024)) ?? '').toString();
  const word = ubiWordOfRoot(mounts);
  const node = word === undefined ? undefined : await ubiNodeOf(word, places.ubiClass);
  return pair.find(({ ubiVolume }) => ubiVolume !== undefined && ubiVolume.node === node);
}

async function findPartition(
  key: string,
  configured: string,
  places: PartitionPlaces,
): Promise<RootfsPartition> {
  const path = await resolved(
    resolve(places.devices, (await ubiNodeOf(configured, places.ubiClass)) ?? configured),
  );
  if (path === undefined)
    throw new ClientError('badPartitions', `There is no ${configured} (${key} in mender.conf).`);
  const status = await stat(path);
  const ubiVolume = await ubiVolumeAt(path, places.ubiClass);
  if (ubiVolume === undefined && !status.isBlockDevice() && !status.isFile()) {
    throw new ClientError(
      'badPartitions',
      `Cannot install into ${path} (${key}): it is neither a block device, nor a UBI volume, nor a file.`,
    );
  }
  const digits = /\d+$/.exec(basename(path))?.[0];
  if (digits === undefined) {
    throw new ClientError(
      'badPartitions',
      `Cannot tell the partition number of ${path} (${key}): no digits at its end.`,
    );
  }
  return {
    path,
    number: Number(digits),
    deviceNumber: status.isBlockDevice() ? status.rdev : undefined,
    ubiVolume,
  };
}

/** The last one counts, as for the kernel; `--` ends the kernel's own parameters. */
function rootParameter(commandLine: string): string | undefined {
  const words = commandLine.trim().split(/\s+/);
  const end = words.indexOf('--');
  const values = (end === -1 ? words : words.slice(0, end)).filter((word) => word.startsWith('root='));
  return values
    .at(-1)
    ?.slice('root='.length)
    .replace(/^"(.*)"$/, '$1');
}

const linksByTag: Readonly<Record<string, string>> = {
  PARTUUID: '/dev/disk/by-partuuid/',
  PARTLABEL: '/dev/disk/by-partlabel/',
  UUID: '/dev/disk/by-uuid/',
  LABEL: '/dev/disk/by-label/',
};

async function deviceOfRootParameter(root: string, places: PartitionPlaces): Promise<string> {
  const node = await ubiNodeOf(root, places.ubiClass);
  if (node !== undefined) return resolve(places.devices, node);
  const [, tag = '', value = ''] = /^([A-Z]+)=(.*)$/.exec(root) ?? [];
  const directory = linksByTag[tag];
  return directory === undefined ? root : directory + value;
}

async function resolved(path: string): Promise<string | undefined> {
  return await realpath(path).catch(() => undefined);
}
