import { readFile, stat } from 'node:fs/promises';
import { ClientError } from '../client-error.ts';
import type { DownloadProgress } from '../deployment/payload-installer.ts';
import type { Log, System } from '../system/system.ts';
import { blockBytes, writeBlocks, type WrittenImage } from './block-writer.ts';
import { openInTime, type OpenFile } from '../system/open-in-time.ts';
import { openPastCache } from '../system/past-cache.ts';
import type { RootfsPartition } from './partitions.ts';
import { sha256ReadBack } from './read-back.ts';
import { writeUbiVolume } from './ubi-volume.ts';

export interface Image {
  readonly name: string;
  readonly sizeBytes: number;
  /** From the manifest, lower-case hexadecimal: what the medium must hold in the end. */
  readonly sha256: string;
  /** From the first byte on, or from `resumedAt` on: what stands before is in the partition already. */
  readonly content: AsyncIterable<Uint8Array>;
  readonly resumedAt?: number;
}

export interface WriteImageOptions {
  readonly open?: OpenFile;
  /** False: what was written is flushed and believed, for those who cannot afford to read all of it once more. */
  readonly verify?: boolean;
  /** Told what is durable in the partition, by its path. */
  readonly progress?: DownloadProgress | undefined;
}

/**
 * Writes an image into the partition that is not running, and reads all of it back, unless `verify` is false. When this resolves,
 * the medium holds the image; the boot flag is not touched here.
 *
 * Throws `ClientError`: `badImage`, with nothing written, when the image does not fit or is empty; `writeFailed` when the
 * medium does not hold what was written; and whatever the content throws, with the partition then holding rubbish, which is
 * no harm as long as the flag stands.
 */
export async function writeImage(
  { processes, log }: Pick<System, 'processes' | 'log'>,
  partition: RootfsPartition,
  image: Image,
  signal: AbortSignal,
  { open = openInTime(), verify = true, progress }: WriteImageOptions = {},
): Promise<WrittenImage> {
  if (image.sizeBytes === 0) throw new ClientError('badImage', `Cannot install ${image.name}: it is empty.`);
  const capacityBytes = await capacityOf(partition);
  if (image.sizeBytes > capacityBytes) {
    throw new ClientError(
      'badImage',
      `Cannot install ${image.name} into ${partition.path}: ` +
        `the image has ${image.sizeBytes} bytes and the partition ${capacityBytes}.`,
    );
  }
  if (partition.ubiVolume !== undefined)
    return await writeVolume({ processes, log }, partition, image, signal, { open, verify });
  await unmountIfMounted({ processes, log }, partition, signal);
  const where = image.resumedAt === undefined ? '' : ` from byte ${image.resumedAt} on`;
  log('info', `Writing ${image.name}, ${image.sizeBytes} bytes, to ${partition.path}${where}.`);
  const written = await writeAndSync(partition, image, signal, { open, progress });
  if (written.sizeBytes !== image.sizeBytes) {
    throw new ClientError(
      'badImage',
      `${image.name} ended after ${written.sizeBytes} of ${image.sizeBytes} bytes. The running system is untouched.`,
    );
  }
  if (verify) await checkReadBack(partition, image, log, signal, open);
  log(
    'info',
    `Wrote ${partition.path}${readBackWords(verify)}: ${written.writtenBlocks} blocks written, ${written.sameBlocks} were the same already.`,
  );
  return written;
}

async function writeAndSync(
  partition: RootfsPartition,
  image: Image,
  signal: AbortSignal,
  { open, progress }: Required<Pick<WriteImageOptions, 'open'>> & Pick<WriteImageOptions, 'progress'>,
): Promise<WrittenImage> {
  const { path } = partition;
  const file = await openPastCache(path, 'r+', open);
  try {
    const written = await writeBlocks(file, image.content, signal, {
      from: image.resumedAt ?? 0,
      ...(progress === undefined
        ? {}
        : {
            progress: {
              isDue: progress.isDue,
              stored: (bytes) => progress.stored({ target: path, bytes }),
            },
          }),
    });
    await file.sync();
    return written;
  } finally {
    await file.close();
  }
}

/** Blocks are not compared, and none is kept of an earlier attempt: the kernel takes a volume as a whole or not at all. */
async function writeVolume(
  { processes, log }: Pick<System, 'processes' | 'log'>,
  partition: RootfsPartition,
  image: Image,
  signal: AbortSignal,
  { open, verify }: Required<Pick<WriteImageOptions, 'open' | 'verify'>>,
): Promise<WrittenImage> {
  const { name, sizeBytes, content, resumedAt = 0 } = image;
  if (resumedAt > 0)
    throw new ClientError(
      'badImage',
      `${name} cannot go on in the middle of ${partition.path}: it is a UBI volume.`,
    );
  log('info', `Writing ${name}, ${sizeBytes} bytes, to the UBI volume ${partition.path}.`);
  await writeUbiVolume(processes, partition.path, content, sizeBytes, signal);
  if (verify) await checkReadBack(partition, image, log, signal, open);
  log('info', `Wrote ${partition.path}${readBackWords(verify)}.`);
  return {
    sizeBytes,
    sameBlocks: 0,
    writtenBlocks: Math.ceil(sizeBytes / blockBytes),
    writtenBytes: sizeBytes,
  };
}

const readBackWords = (verify: boolean): string => (verify ? ' and read it back' : ', not read back');

async function checkReadBack(
  { path }: RootfsPartition,
  { sizeBytes, sha256 }: Image,
  log: Log,
  signal: AbortSignal,
  open: OpenFile,
): Promise<void> {
  const found = await sha256ReadBack(path, sizeBytes, log, signal, open);
  if (found === sha256) return;
  throw new ClientError(
    'writeFailed',
    `${path} does not hold what was written to it (SHA-256 ${found}, expected ${sha256}): ` +
      'the medium is failing. The running system is untouched.',
  );
}

/** Bytes a partition can hold; a plain file stands for a partition of the size it has. */
async function capacityOf({ path, deviceNumber, ubiVolume }: RootfsPartition): Promise<number> {
  if (ubiVolume !== undefined) return ubiVolume.capacityBytes;
  if (deviceNumber === undefined) return (await stat(path)).size;
  const text = await readFile(`/sys/dev/block/${majorMinor(deviceNumber)}/size`, 'utf8');
  // The kernel counts in sectors of 512 bytes here, whatever the device's own.
  return Number(text.trim()) * 512;
}

/** As the kernel writes a device number; the packing is that of the C library. */
function majorMinor(deviceNumber: number): string {
  const packed = BigInt(deviceNumber);
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & ~0xfffn);
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** Someone's automounter must not keep a device from being updated, nor see its file system change underneath. */
async function unmountIfMounted(
  { processes, log }: Pick<System, 'processes' | 'log'>,
  { path, deviceNumber }: RootfsPartition,
  signal: AbortSignal,
): Promise<void> {
  if (deviceNumber === undefined) return;
  const device = majorMinor(deviceNumber);
  const isMounted = async () => {
    const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
    return lines.some((line) => line.split(' ')[2] === device);
  };
  if (!(await isMounted())) return;
  log('warning', `${path} is mounted; unmounting it.`);
  const result = await processes.run('umount', [path], { timeoutMs: 60_000, signal });
  if (result.exitCode === 0 && !(await isMounted())) return;
  throw new ClientError(
    'badPartitions',
    `Cannot install into ${path}: it is mounted and cannot be unmounted (${result.stderr.trim().slice(0, 300)}).`,
  );
}
