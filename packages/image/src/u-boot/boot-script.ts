import type { Partition } from '../partitions.ts';
import type { UBootSettings } from './u-boot-settings.ts';

export interface BootScriptFacts {
  readonly settings: UBootSettings;
  readonly bootCommand: 'booti' | 'bootz' | 'bootm';
  readonly rootA: Partition;
  readonly rootB: Partition;
  /** Without `root=`; without single quotes. */
  readonly kernelArguments: string;
}

/** The two plain copies, on the boot partition; the first counts while its checksum is right. */
export const plainCopies = { names: ['uboot1.env', 'uboot2.env'], sizeBytes: 0x4000 } as const;

/** Variables of the environment as they are in a new image, in the names the client writes (client contract 17.3). */
export const initialVariables = ({ settings, rootA }: Pick<BootScriptFacts, 'settings' | 'rootA'>) => ({
  mender_boot_part: String(rootA.number),
  mender_boot_part_hex: rootA.number.toString(16),
  upgrade_available: '0',
  bootcount: '0',
  bootlimit: String(settings.bootLimit),
});

/** What U-Boot runs instead of `bootcmd` when an update on trial was started too often; only a U-Boot that counts needs it. */
export const goingBack = (facts: Pick<BootScriptFacts, 'rootA' | 'rootB'>) => ({
  mender_altbootcmd: `echo tandem: the update on trial was not committed, going back; ${otherRoot(facts)}; setenv upgrade_available 0; saveenv`,
  altbootcmd: 'run mender_altbootcmd; run bootcmd',
});

const otherRoot = ({ rootA, rootB }: Pick<BootScriptFacts, 'rootA' | 'rootB'>): string =>
  `if test "\${mender_boot_part}" = "${String(rootB.number)}"; then ` +
  `setenv mender_boot_part ${String(rootA.number)}; else setenv mender_boot_part ${String(rootB.number)}; fi; ` +
  'setenv mender_boot_part_hex ${mender_boot_part}';

/**
 * The text of boot.scr: finds out which root file system to start, and starts its kernel. It stands on the boot partition and is
 * never written on a device. U-Boot's distro boot has set `devtype`, `devnum` and `distro_bootpart` to where it found it, and
 * the board's U-Boot brings `kernel_addr_r`, `ramdisk_addr_r` and `fdt_addr_r`.
 */
export function bootScript(facts: BootScriptFacts): string {
  return [
    '# Made by tandem-image: starts the root file system the boot environment names. U-Boot numbers are hexadecimal.',
    ...(facts.settings.environment === 'redundant' ? ensureEnvironment(facts) : countInTwoCopies(facts)),
    ...startRoot(facts),
    '',
  ].join('\n');
}

/** U-Boot has counted this start and run altbootcmd where that was due. Only the very first start has something to do. */
const ensureEnvironment = (facts: BootScriptFacts): string[] => [
  'if test -z "${mender_boot_part}"; then',
  '  echo tandem: no boot environment yet, writing one',
  ...setAll({ ...initialVariables(facts), ...goingBack(facts) }).map(indent),
  '  # Twice: each writes one of the two copies.',
  '  saveenv',
  '  saveenv',
  'fi',
];

/**
 * What `bootcount` and a redundant environment are elsewhere.
 *
 * INVARIANT, the same as the client's: the copy that counts is written only after the other one was written and read back.
 */
const countInTwoCopies = (facts: BootScriptFacts): string[] => {
  const [first, second] = plainCopies.names;
  const size = plainCopies.sizeBytes.toString(16);
  const initial = initialVariables(facts);
  const place = '${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} ${tandem_copy}';
  return [
    `setenv tandem_names '${Object.keys(initial).join(' ')}'`,
    `setenv tandem_read 'load ${place} && test "\${filesize}" = "${size}" && env import -c \${ramdisk_addr_r} ${size} \${tandem_names}'`,
    `setenv tandem_write 'env export -c -s ${size} \${ramdisk_addr_r} \${tandem_names} && fatwrite ${place} ${size} && run tandem_read'`,
    "setenv tandem_save 'setenv tandem_copy ${tandem_other}; run tandem_write && setenv tandem_copy ${tandem_counts} && run tandem_write'",
    `setenv tandem_go_back '${otherRoot(facts)}; setenv upgrade_available 0'`,
    `setenv tandem_counts ${first}`,
    `setenv tandem_other ${second}`,
    `setenv tandem_copy ${first}`,
    'if run tandem_read; then',
    '  true',
    'else',
    `  echo tandem: ${first} is damaged`,
    `  setenv tandem_counts ${second}`,
    `  setenv tandem_other ${first}`,
    `  setenv tandem_copy ${second}`,
    '  if run tandem_read; then',
    '    true',
    '  else',
    '    echo tandem: both copies of the boot environment are damaged, writing new ones',
    ...setAll(initial).map(indent).map(indent),
    '    run tandem_save',
    '  fi',
    'fi',
    'if test "${upgrade_available}" = "1"; then',
    '  setexpr bootcount ${bootcount} + 1',
    '  if test ${bootcount} -gt ${bootlimit}; then',
    '    echo tandem: the update on trial was not committed, going back',
    '    run tandem_go_back',
    '  fi',
    '  if run tandem_save; then',
    '    true',
    '  else',
    '    # Else an update that never gets up would be started for ever.',
    '    echo tandem: this start cannot be counted, so nothing is tried',
    '    if test "${upgrade_available}" = "1"; then run tandem_go_back; fi',
    '  fi',
    'fi',
  ];
};

const startRoot = ({ settings, bootCommand, rootA, rootB, kernelArguments }: BootScriptFacts): string[] => {
  const root = '${devtype} ${devnum}:${tandem_part}';
  const firstThatIsThere = (variable: string, paths: readonly string[]) => [
    `setenv ${variable} ''`,
    `for file in ${paths.join(' ')}; do`,
    `  if test -z "\${${variable}}"; then if test -e ${root} \${file}; then setenv ${variable} \${file}; fi; fi`,
    'done',
  ];
  const choose = ({ number, kernelDevice }: Partition) => [
    `  setenv tandem_part ${number.toString(16)}`,
    `  setenv tandem_root ${kernelDevice}`,
  ];
  return [
    `if test "\${mender_boot_part}" = "${String(rootB.number)}"; then`,
    ...choose(rootB),
    'else',
    ...choose(rootA),
    'fi',
    `setenv tandem_arguments '${kernelArguments}'`,
    'setenv bootargs "root=${tandem_root} ${tandem_arguments}"',
    'echo tandem: starting partition ${tandem_part}, upgrade_available=${upgrade_available} bootcount=${bootcount}',
    'setenv tandem_loaded yes',
    ...firstThatIsThere('tandem_kernel', settings.kernels),
    `load ${root} \${kernel_addr_r} \${tandem_kernel} || setenv tandem_loaded no`,
    'setenv tandem_device_tree ${fdtcontroladdr}',
    ...(settings.deviceTree === ''
      ? ['if test -n "${fdt_addr}"; then setenv tandem_device_tree ${fdt_addr}; fi']
      : [
          `setenv tandem_device_tree ${settings.deviceTreeAddress || '${fdt_addr_r}'}`,
          `load ${root} \${tandem_device_tree} ${settings.deviceTree} || setenv tandem_loaded no`,
        ]),
    ...firstThatIsThere('tandem_initrd', settings.initialRamdisks),
    'setenv tandem_ramdisk -',
    'if test -n "${tandem_initrd}"; then',
    `  load ${root} \${ramdisk_addr_r} \${tandem_initrd} || setenv tandem_loaded no`,
    '  setenv tandem_ramdisk ${ramdisk_addr_r}:${filesize}',
    'fi',
    `if test "\${tandem_loaded}" = "yes"; then ${bootCommand} \${kernel_addr_r} \${tandem_ramdisk} \${tandem_device_tree}; fi`,
    'echo tandem: partition ${tandem_part} cannot be started',
    '# Counted once more at the next start, which so comes to go back.',
    'if test "${upgrade_available}" = "1"; then reset; fi',
  ];
};

const setAll = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).map(([name, value]) => `setenv ${name} '${value}'`);

const indent = (line: string): string => `  ${line}`;
