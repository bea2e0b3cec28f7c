import type { Bootloader } from './bootloader.ts';
import { grubEfi } from './grub-efi/grub-efi.ts';
import { uBoot } from './u-boot/u-boot.ts';

/** What a board's `bootloaderSettings` are before the bootloader has read them. */
export type BootloaderSettings = Readonly<Record<string, unknown>>;

/** Leaves starting to others: hooks, or files that the source's own boot partition has. */
const none = (): Bootloader => ({
  programs: {},
  reservedBytes: 0,
  problems: () => Promise.resolve([]),
  bootFiles: () => Promise.resolve([]),
  rootFiles: () => Promise.resolve([]),
  rawWrites: () => Promise.resolve([]),
  filesBeside: () => Promise.resolve([]),
});

/** By the board file's key `bootloader`. Each throws `ImageError` (badBoard) naming the setting it does not know or cannot use. */
export const bootloaders = {
  none,
  'grub-efi': grubEfi,
  'u-boot': uBoot,
} as const satisfies Readonly<Record<string, (settings: BootloaderSettings) => Bootloader>>;

export type BootloaderName = keyof typeof bootloaders;
