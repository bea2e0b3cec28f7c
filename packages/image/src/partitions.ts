import { createHash } from 'node:crypto';
import type { Board } from './board.ts';

export const partitionRoles = ['boot', 'rootA', 'rootB', 'data'] as const;
export type PartitionRole = (typeof partitionRoles)[number];

/** What names a partition, on the disk and to Linux. Known before its size, and the same in every build of a board. */
export interface Partition {
  readonly role: PartitionRole;
  readonly number: number;
  readonly label: string;
  /** As Linux spells it: a UUID in small letters (GPT), or the disk's id and the number (MBR). */
  readonly partUuid: string;
  /** For /etc/fstab, RootfsPartA and B: /dev/disk/by-partuuid/…, or as the board's `storageDevice` says. */
  readonly device: string;
  /** For `root=` on the kernel's command line, which knows no links below /dev/disk. */
  readonly kernelDevice: string;
}

export interface Partitions {
  /** GPT: the disk's UUID. MBR: eight hexadecimal digits. */
  readonly diskId: string;
  readonly boot: Partition | undefined;
  readonly rootA: Partition;
  readonly rootB: Partition;
  readonly data: Partition;
}

export function partitionsOf(board: Board): Partitions {
  const diskId =
    board.partitionTable === 'gpt'
      ? stableUuid(board.name, 'disk')
      : stableUuid(board.name, 'disk').slice(0, 8);
  const first = board['boot.sizeMiB'] === 0 ? 0 : 1;
  const partition = (role: PartitionRole, number: number, label: string): Partition => {
    const partUuid =
      board.partitionTable === 'gpt'
        ? stableUuid(board.name, role)
        : `${diskId}-${number.toString(16).padStart(2, '0')}`;
    const named = board.storageDevice === '' ? undefined : `${board.storageDevice}${String(number)}`;
    return {
      role,
      number,
      label,
      partUuid,
      device: named ?? `/dev/disk/by-partuuid/${partUuid}`,
      kernelDevice: named ?? `PARTUUID=${partUuid}`,
    };
  };
  return {
    diskId,
    boot: first === 0 ? undefined : partition('boot', 1, board['boot.label']),
    rootA: partition('rootA', first + 1, board['rootfs.labelA']),
    rootB: partition('rootB', first + 2, board['rootfs.labelB']),
    data: partition('data', first + 3, board['data.label']),
  };
}

/** In the order of their numbers. */
export const partitionList = (partitions: Partitions): readonly Partition[] =>
  partitionRoles.flatMap((role) => partitions[role] ?? []);

/** A UUID that is always the same for the same words (of RFC 9562's version 8, whose bits are its maker's own). */
export function stableUuid(...words: readonly string[]): string {
  const bytes = createHash('sha256')
    .update(['tandem-image', ...words].join('\0'))
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
