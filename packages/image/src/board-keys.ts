import { bootloaders } from './bootloaders.ts';

/** Debian's names of processors, with what their programs' ELF headers say (machine, and 32 or 64 bits). */
export const architectures = {
  amd64: { elfMachine: 62, elfBits: 64, qemu: 'x86_64' },
  arm64: { elfMachine: 183, elfBits: 64, qemu: 'aarch64' },
  armhf: { elfMachine: 40, elfBits: 32, qemu: 'arm' },
  i386: { elfMachine: 3, elfBits: 32, qemu: 'i386' },
  riscv64: { elfMachine: 243, elfBits: 64, qemu: 'riscv64' },
} as const;
export type Architecture = keyof typeof architectures;

export interface BoardKey {
  /** `size` is a whole number of MiB; `list` a list of texts; `settings` an object the bootloader reads. */
  readonly type: 'text' | 'size' | 'count' | 'flag' | 'list' | 'settings' | readonly string[];
  /** Without one the key is needed. */
  readonly fallback?: unknown;
  readonly meaning: string;
}

/** Every key of a board file, groups by dots. The parser, the types, `--set` and the table in docs/how-to/add-a-board.md come from here. */
// prettier-ignore
export const boardKeys = {
  name:                      { type: 'text', meaning: 'Name of the board; identifiers of partitions are made from it, so that every build of a board has the same' },
  summary:                   { type: 'text', fallback: '', meaning: 'What it is, for people' },
  deviceType:                { type: 'text', meaning: 'Device type that artifacts are made for and devices report' },
  architecture:              { type: Object.keys(architectures) as Architecture[], meaning: "Debian's name of the processor" },
  bootloader:                { type: Object.keys(bootloaders) as (keyof typeof bootloaders)[], meaning: 'What starts it' },
  bootloaderSettings:        { type: 'settings', fallback: {}, meaning: 'What that bootloader has of its own to set' },
  kernelArguments:           { type: 'text', fallback: '', meaning: 'Kernel command line, without root=' },
  partitionTable:            { type: ['gpt', 'mbr'], fallback: 'gpt', meaning: 'Kind of partition table' },
  storageDevice:             { type: 'text', fallback: '', meaning: 'Beginning of the names of partitions, as /dev/mmcblk0p; empty: by PARTUUID, wherever the storage is' },
  storageMiB:                { type: 'size', fallback: 0, meaning: 'Size of the whole image; 0: as small as its parts allow' },
  alignmentMiB:              { type: 'size', fallback: 8, meaning: 'Partitions begin and end at multiples of it' },
  'boot.sizeMiB':            { type: 'size', fallback: 64, meaning: 'Size of the FAT partition for the bootloader; 0: none' },
  'boot.label':              { type: 'text', fallback: 'BOOT', meaning: 'Its label' },
  'boot.mount':              { type: 'text', fallback: '/boot/efi', meaning: 'Where it is mounted' },
  'rootfs.sizeMiB':          { type: 'size', fallback: 0, meaning: 'Size of each root file system; 0: from the content, or with storageMiB as large as fits' },
  'rootfs.overheadPercent':  { type: 'count', fallback: 50, meaning: 'Room to grow beside the content when the size comes from it' },
  'rootfs.extraMiB':         { type: 'size', fallback: 0, meaning: 'More such room' },
  'rootfs.labelA':           { type: 'text', fallback: 'rootfs-a', meaning: 'Label of the first root partition' },
  'rootfs.labelB':           { type: 'text', fallback: 'rootfs-b', meaning: 'Label of the second' },
  'rootfs.fillInactive':     { type: 'flag', fallback: false, meaning: 'Put the root file system into the second partition as well' },
  'data.sizeMiB':            { type: 'size', fallback: 128, meaning: 'Size of the data partition' },
  'data.label':              { type: 'text', fallback: 'data', meaning: 'Its label' },
  'data.grow':               { type: 'flag', fallback: true, meaning: 'Grow it over the rest of the storage when the device first starts' },
  'persist.machineId':       { type: 'flag', fallback: true, meaning: 'Keep the machine id on the data partition' },
  'persist.sshHostKeys':     { type: 'flag', fallback: true, meaning: 'Keep the host keys of the SSH server on the data partition, made at the first start' },
  'hooks.afterUnpack':       { type: 'list', fallback: [], meaning: 'Programs run when the root file system is unpacked; see Hooks' },
  'hooks.afterPackages':     { type: 'list', fallback: [], meaning: 'When the packages are installed' },
  'hooks.afterFiles':        { type: 'list', fallback: [], meaning: 'When all files of the builder are in place, overlays included' },
  'hooks.beforeBoot':        { type: 'list', fallback: [], meaning: 'When the files of the boot partition are gathered' },
  'hooks.afterImage':        { type: 'list', fallback: [], meaning: 'When the image is written, before it gets its name' },
} as const satisfies Readonly<Record<string, BoardKey>>;
export type BoardKeyName = keyof typeof boardKeys;
