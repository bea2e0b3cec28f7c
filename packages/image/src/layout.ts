import type { Board } from './board.ts';
import { ImageError } from './image-error.ts';
import { partitionList, type Partition, type Partitions } from './partitions.ts';

export const mebibyte = 1 << 20;

export interface PlacedPartition extends Partition {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** Where its size comes from. */
  readonly why: string;
}

export interface Layout {
  readonly diskId: string;
  readonly totalBytes: number;
  readonly totalWhy: string;
  readonly partitions: readonly PlacedPartition[];
}

export interface LayoutNeeds {
  /** What the files of the root file system take, in whole blocks. */
  readonly rootContentBytes: number;
  readonly bootContentBytes: number;
  /** What hooks put on the data partition; the builder's own files there are small. */
  readonly dataContentBytes: number;
  /** Room the bootloader wants before the first partition. */
  readonly reservedBytes: number;
}

/** GPT keeps its copy in the last 33 sectors. */
const gptEndBytes = 33 * 512;

/**
 * Places the partitions, and says where each size comes from. Throws `ImageError` (imageTooSmall) with the sizes that would do.
 */
export function planLayout(board: Board, partitions: Partitions, needs: LayoutNeeds): Layout {
  const alignment = board.alignmentMiB * mebibyte;
  const align = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
  const start = align(Math.max(mebibyte, needs.reservedBytes));
  const end = board.partitionTable === 'gpt' ? align(gptEndBytes) : 0;
  const boot = align(board['boot.sizeMiB'] * mebibyte);
  const data = align(board['data.sizeMiB'] * mebibyte);
  const least = align(leastExt4Bytes(needs.rootContentBytes));
  const total = board.storageMiB * mebibyte;
  const root = rootSize(board, needs, { least, align, room: total - start - boot - data - end, alignment });

  if (partitions.boot !== undefined && needs.bootContentBytes * fatOverhead > boot)
    throw tooSmall(
      `the boot partition has ${inMiB(boot)} and its files take ${inMiB(needs.bootContentBytes)}`,
      'boot.sizeMiB',
    );
  const leastData = leastExt4Bytes(needs.dataContentBytes);
  if (data < leastData)
    throw tooSmall(
      `the data partition has ${inMiB(data)} and its files need ${inMiB(leastData)} with the file system's own tables`,
      'data.sizeMiB',
    );
  if (root.bytes < least) {
    const wanted = inMiB(start + boot + 2 * least + data + end);
    throw tooSmall(
      `each root partition has ${inMiB(Math.max(root.bytes, 0))} and its files need ${inMiB(least)} with the file system's own tables`,
      root.key,
      `; an image of ${wanted} is the least for this board and content`,
    );
  }

  const sizes = {
    boot: { bytes: boot, why: `boot.sizeMiB ${board['boot.sizeMiB']}` },
    rootA: root,
    rootB: { ...root, why: 'as rootA' },
    data: { bytes: data, why: `data.sizeMiB ${board['data.sizeMiB']}` },
  };
  let offset = start;
  const placed = partitionList(partitions).map((partition): PlacedPartition => {
    const { bytes, why } = sizes[partition.role];
    offset += bytes;
    return { ...partition, offsetBytes: offset - bytes, sizeBytes: bytes, why };
  });
  const used = offset + end;
  if (total !== 0 && used > total)
    throw tooSmall(`the partitions need ${inMiB(used)} and storageMiB is ${board.storageMiB}`, 'storageMiB');
  return {
    diskId: partitions.diskId,
    totalBytes: total === 0 ? used : total,
    totalWhy: total === 0 ? 'the sum of its parts' : `storageMiB ${board.storageMiB}`,
    partitions: placed,
  };
}

function rootSize(
  board: Board,
  needs: LayoutNeeds,
  given: { least: number; align: (bytes: number) => number; room: number; alignment: number },
): { bytes: number; why: string; key: string } {
  const fixed = board['rootfs.sizeMiB'];
  if (fixed !== 0)
    return { bytes: given.align(fixed * mebibyte), why: `rootfs.sizeMiB ${fixed}`, key: 'rootfs.sizeMiB' };
  if (board.storageMiB !== 0) {
    const half = Math.floor(given.room / 2 / given.alignment) * given.alignment;
    return { bytes: half, why: 'half of what storageMiB leaves', key: 'storageMiB' };
  }
  const percent = board['rootfs.overheadPercent'];
  const extra = board['rootfs.extraMiB'];
  const wanted = needs.rootContentBytes * (1 + percent / 100) + extra * mebibyte;
  const why = `content ${inMiB(needs.rootContentBytes)} + ${percent} %${extra === 0 ? '' : ` + ${extra} MiB`}`;
  return wanted > given.least
    ? { bytes: given.align(wanted), why, key: 'rootfs.overheadPercent' }
    : {
        bytes: given.least,
        why: `content ${inMiB(needs.rootContentBytes)} and ext4's own tables`,
        key: 'rootfs.extraMiB',
      };
}

const fatOverhead = 1.05;

/** How much a file system of that size can hold: without its inodes (256 bytes for each 16 KiB), bitmaps and journal. */
function usableBytes(ext4Bytes: number): number {
  const journal = journalSizes.find(({ below }) => ext4Bytes < below)?.bytes ?? 0;
  return ext4Bytes * (1 - 256 / 16384 - 0.002) - journal - 2 * mebibyte;
}

/** As mke2fs gives them. */
const journalSizes = [
  { below: 128 * mebibyte, bytes: 4 * mebibyte },
  { below: 1024 * mebibyte, bytes: 16 * mebibyte },
  { below: 2048 * mebibyte, bytes: 32 * mebibyte },
  { below: 16384 * mebibyte, bytes: 64 * mebibyte },
  { below: Infinity, bytes: 1024 * mebibyte },
] as const;

function leastExt4Bytes(contentBytes: number): number {
  let size = contentBytes;
  while (usableBytes(size) < contentBytes) size += mebibyte;
  return size;
}

export const inMiB = (bytes: number): string => `${(Math.ceil((bytes / mebibyte) * 10) / 10).toString()} MiB`;

const tooSmall = (what: string, key: string, more = ''): ImageError =>
  new ImageError(
    'imageTooSmall',
    `the image is too small: ${what}${more}; raise ${key} (board file or --set ${key}=…)`,
  );
