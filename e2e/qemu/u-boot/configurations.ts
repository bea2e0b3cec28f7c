/**
 * The U-Boots that are built from Debian's source package: a configuration that U-Boot brings, and lines over it.
 * `bootCounter` is what a board's own U-Boot needs for the image builder's setting `environment: redundant`.
 */
const bootCounter = {
  CONFIG_BOOTCOUNT_LIMIT: 'y',
  CONFIG_BOOTCOUNT_ENV: 'y',
  CONFIG_ENV_IS_IN_MMC: 'y',
  CONFIG_SYS_REDUNDAND_ENVIRONMENT: 'y',
  CONFIG_SYS_MMC_ENV_DEV: '0',
  CONFIG_ENV_OFFSET: '0x800000',
  CONFIG_ENV_OFFSET_REDUND: '0x820000',
  CONFIG_ENV_SIZE: '0x20000',
} as const;

/**
 * An SD card on QEMU's `sdhci-pci`, started without waiting for a key. The processor copies: on QEMU 7.2 a read by SDMA of more than 512 KiB was
 * seen never to end, and one by ADMA not to begin.
 */
const cardReader = {
  CONFIG_MMC: 'y',
  CONFIG_DM_MMC: 'y',
  CONFIG_MMC_PCI: 'y',
  CONFIG_MMC_SDHCI: 'y',
  CONFIG_CMD_MMC: 'y',
  CONFIG_ENV_IS_IN_FLASH: 'n',
  CONFIG_BOOTDELAY: '0',
  CONFIG_USE_BOOTCOMMAND: 'y',
  CONFIG_BOOTCOMMAND: '"devnum=0; run mmc_boot"',
  // Not needed, and quicker without.
  CONFIG_TPM: 'n',
  CONFIG_CMD_BOOTEFI_SELFTEST: 'n',
} as const;

/** U-Boot as a Linux process, whose SD card is a file; it starts as a board does, with nobody at its terminal. */
const process = {
  CONFIG_LEGACY_IMAGE_FORMAT: 'y',
  CONFIG_AUTOBOOT_KEYED: 'n',
  CONFIG_BOOTDELAY: '-2',
  CONFIG_USE_BOOTCOMMAND: 'y',
  CONFIG_BOOTCOMMAND:
    '"devtype=mmc; devnum=0; distro_bootpart=1; load mmc 0:1 ${scriptaddr} /boot.scr && source ${scriptaddr}; poweroff"',
  CONFIG_CMD_POWEROFF: 'y',
  CONFIG_CMD_MMC: 'y',
  // Not needed, and quicker without.
  CONFIG_UNIT_TEST: 'n',
  // Does not link without them.
  CONFIG_CLK_K210: 'n',
  CONFIG_LTO: 'n',
} as const;

export interface UBootConfiguration {
  readonly base: string;
  readonly lines: Readonly<Record<string, string>>;
  /** Beginning of the compiler's name; '' is this machine's. */
  readonly crossCompile: string;
  readonly makeArguments: readonly string[];
  /** Changes of the source that no configuration makes. */
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
  /** What is built; the first is what is started. */
  readonly targets: readonly [string, ...string[]];
}

export const uBoots = {
  /** For QEMU's arm64 machine with an SD card: counts boots, keeps two environments on the card. */
  arm64: {
    base: 'qemu_arm64_defconfig',
    lines: { ...bootCounter, ...cardReader },
    crossCompile: 'aarch64-linux-gnu-',
    // The card is on PCI, which else is looked at after the environment is read.
    makeArguments: ['CFLAGS_board_r.o=-DCONFIG_SYS_EARLY_PCI_INIT'],
    edits: [],
    targets: ['u-boot.bin', 'u-boot-initial-env'],
  },
  /** The same environment and boot counter as a process of this machine. */
  sandbox: {
    base: 'sandbox_defconfig',
    lines: { ...bootCounter, ...process, CONFIG_ENV_IS_NOWHERE: 'n', CONFIG_ENV_IS_IN_EXT4: 'n' },
    crossCompile: '',
    makeArguments: ['NO_SDL=1'],
    // It would look for its environment nowhere, whatever the configuration says.
    edits: [{ file: 'board/sandbox/sandbox.c', from: '\tENVL_NOWHERE,', to: '\tENVL_MMC,' }],
    targets: ['u-boot'],
  },
  /** As Debian's own U-Boots are: it neither counts nor keeps two environments. */
  'sandbox-stock': {
    base: 'sandbox_defconfig',
    lines: { ...process, CONFIG_ENV_IS_IN_EXT4: 'n', CONFIG_BOOTCOUNT_LIMIT: 'n' },
    crossCompile: '',
    makeArguments: ['NO_SDL=1'],
    edits: [],
    targets: ['u-boot'],
  },
} as const satisfies Readonly<Record<string, UBootConfiguration>>;

export type UBootName = keyof typeof uBoots;

/** As U-Boot's own configuration files are written. */
export const configurationText = (lines: Readonly<Record<string, string>>): string =>
  Object.entries(lines)
    .map(([name, value]) => (value === 'n' ? `# ${name} is not set\n` : `${name}=${value}\n`))
    .join('');
