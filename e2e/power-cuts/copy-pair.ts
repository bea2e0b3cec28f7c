import type { CopyPair } from '@tandem/boot-environment';

export const copyBytes = 4096;

/** Two copies of an environment on one medium, apart. */
export const copyPair = (path: string): CopyPair => [
  { path, offsetBytes: 0, sizeBytes: copyBytes },
  { path, offsetBytes: 2 * copyBytes, sizeBytes: copyBytes },
];

/** So long that the checksum and what changes do not lie in one sector: a copy can be torn. */
const boardArguments = 'x'.repeat(600);
export const settled = {
  board_arguments: boardArguments,
  mender_boot_part: '2',
  upgrade_available: '0',
  bootcount: '0',
} as const;
export const decided = { ...settled, mender_boot_part: '3', upgrade_available: '1' } as const;
