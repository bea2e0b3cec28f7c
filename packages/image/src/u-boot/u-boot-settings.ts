import { isAbsolute } from 'node:path';
import type { BootloaderSettings } from '../bootloaders.ts';
import { ImageError } from '../image-error.ts';

interface Setting {
  readonly type: 'text' | 'count' | 'list' | 'firmware' | readonly string[];
  readonly fallback: unknown;
  readonly meaning: string;
}

/** What `bootloaderSettings` of a board with U-Boot may hold; the table in docs/how-to/add-a-board.md says the same. */
// prettier-ignore
export const uBootSettings = {
  environment:           { type: ['redundant', 'two-copies'], fallback: 'redundant', meaning: 'redundant: U-Boot counts boots and keeps two environments in raw storage; two-copies: it does neither, and the boot script does both with two files of the boot partition' },
  environmentDevice:     { type: 'text',  fallback: '',   meaning: 'Storage with the redundant environment as Linux names it, such as /dev/mmcblk0' },
  environmentOffsetKiB:  { type: 'count', fallback: 8192, meaning: 'Where the first redundant copy begins (CONFIG_ENV_OFFSET); the second follows it' },
  environmentSizeKiB:    { type: 'count', fallback: 128,  meaning: 'Size of a redundant copy (CONFIG_ENV_SIZE)' },
  initialEnvironment:    { type: 'text',  fallback: '',   meaning: "File with U-Boot's default variables, as `make u-boot-initial-env` writes it, put into both redundant copies; empty: U-Boot writes them when the device first starts" },
  bootLimit:             { type: 'count', fallback: 1,    meaning: 'How often an update on trial is started before the device goes back' },
  bootCommand:           { type: ['booti', 'bootz', 'bootm'], fallback: undefined, meaning: "U-Boot's command for the kernel; by the processor: booti on arm64 and riscv64, else bootz" },
  kernels:               { type: 'list',  fallback: ['/boot/vmlinuz', '/vmlinuz', '/boot/Image', '/boot/zImage'], meaning: 'Kernels of the root file system; the first that is there is started' },
  initialRamdisks:       { type: 'list',  fallback: ['/boot/initrd.img', '/initrd.img'], meaning: 'Initial RAM disks; the first that is there is used' },
  deviceTree:            { type: 'text',  fallback: '',   meaning: 'Device tree of the root file system; empty: the one U-Boot was given or has itself' },
  deviceTreeAddress:     { type: 'text',  fallback: '',   meaning: 'Where it is loaded, in hexadecimal such as 0x48000000; empty: where U-Boot says (fdt_addr_r)' },
  firmware:              { type: 'firmware', fallback: [], meaning: 'U-Boot itself where the board wants it before the partitions: a list of { "file": absolute path, "offsetKiB": number }' },
} as const satisfies Readonly<Record<string, Setting>>;

type Name = keyof typeof uBootSettings;
export interface Firmware {
  readonly file: string;
  readonly offsetKiB: number;
}
type ValueOf<Type extends Setting['type']> = Type extends readonly (infer Choice)[]
  ? Choice
  : Type extends 'text'
    ? string
    : Type extends 'count'
      ? number
      : Type extends 'list'
        ? readonly string[]
        : readonly Firmware[];
export type UBootSettings = {
  readonly [Key in Exclude<Name, 'bootCommand'>]: ValueOf<(typeof uBootSettings)[Key]['type']>;
} & { readonly bootCommand: 'booti' | 'bootz' | 'bootm' | undefined };

const mostKiB = 1 << 20;
/** The script counts in U-Boot's hexadecimal. */
const mostBoots = 9;
const pathInRoot = /^\/[\w./+-]+$/;

/** Reads the settings and fills in what is not given. Throws `ImageError` (badBoard) naming every fault. */
export function readUBootSettings(given: BootloaderSettings): UBootSettings {
  const faults = Object.keys(given)
    .filter((name) => !Object.hasOwn(uBootSettings, name))
    .map((name) => `${name} is none of U-Boot's`);
  const settings: Record<string, unknown> = {};
  for (const [name, { type, fallback }] of Object.entries<Setting>(uBootSettings)) {
    const value = given[name] ?? fallback;
    settings[name] = value;
    const fault = value === undefined ? undefined : faultOf(value, type);
    if (fault !== undefined) faults.push(`${name} ${fault}`);
  }
  if (faults.length === 0) faults.push(...contradictions(settings as UBootSettings));
  if (faults.length > 0) throw new ImageError('badBoard', `bootloaderSettings: ${faults.join('; ')}`);
  return settings as UBootSettings;
}

function faultOf(value: unknown, type: Setting['type']): string | undefined {
  if (typeof type === 'object')
    return type.includes(value as string) ? undefined : `must be one of ${type.join(', ')}`;
  switch (type) {
    case 'text':
      return typeof value === 'string' ? undefined : 'must be a text';
    case 'count':
      return isCount(value) ? undefined : `must be a whole number from 0 to ${String(mostKiB)}`;
    case 'list':
      return Array.isArray(value) && value.every((one) => typeof one === 'string' && pathInRoot.test(one))
        ? undefined
        : 'must be a list of absolute paths';
    case 'firmware':
      return Array.isArray(value) && value.every(isFirmware)
        ? undefined
        : 'must be a list of { "file": absolute path, "offsetKiB": number }';
  }
  return type satisfies never;
}

const isCount = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= mostKiB;

const isFirmware = (value: unknown): boolean => {
  const { file, offsetKiB } = (value ?? {}) as Partial<Firmware>;
  return typeof file === 'string' && isAbsolute(file) && isCount(offsetKiB);
};

function contradictions(settings: UBootSettings): string[] {
  const faults: string[] = [];
  if (settings.environment === 'redundant' && !/^\/dev\/[\w/-]+$/.test(settings.environmentDevice))
    faults.push('environmentDevice must name the storage of the redundant environment, as /dev/mmcblk0');
  if (settings.environmentSizeKiB === 0) faults.push('environmentSizeKiB must be more than 0');
  if (settings.bootLimit < 1 || settings.bootLimit > mostBoots)
    faults.push(`bootLimit must be from 1 to ${String(mostBoots)}`);
  if (settings.kernels.length === 0) faults.push('kernels must name one');
  if (settings.deviceTree !== '' && !pathInRoot.test(settings.deviceTree))
    faults.push('deviceTree must be an absolute path of the root file system');
  if (!/^(0x[0-9a-f]+)?$/.test(settings.deviceTreeAddress))
    faults.push('deviceTreeAddress must be hexadecimal, as 0x48000000');
  if (settings.initialEnvironment !== '' && !isAbsolute(settings.initialEnvironment))
    faults.push('initialEnvironment must be an absolute path');
  return faults;
}
