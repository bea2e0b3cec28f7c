import { join } from 'node:path';
import {
  fileLock,
  grubEnvironment,
  parseFwEnvConfig,
  uBootEnvironment,
  uBootEnvironmentKind,
  uBootTwoCopies,
  type BootEnvironment,
  type CopyPair,
} from '@tandem/boot-environment';
import { ClientError } from '../client-error.ts';
import type { Files } from '../system/system.ts';

/** Where the bootloader's variables may lie, for reading and writing them without the bootloader's tools. */
export interface EnvironmentPlaces {
  /** Path of fw_env.config: where U-Boot's environment lies. */
  readonly fwEnvConfig: string;
  /** Path of mender_grubenv.config, whose ENV_DIR says where GRUB's environment lies. */
  readonly grubEnvConfig: string;
  /** Where it is looked for when that file says nothing. */
  readonly grubDirectories: readonly string[];
  /** The file GRUB's tools lock. */
  readonly grubLock: string;
}

/** Ways to open an environment, by the configuration's word for them. Each throws `ClientError` `badBootEnvironment`. */
export const directEnvironments = {
  'u-boot': async (files: Files, { fwEnvConfig }: EnvironmentPlaces) =>
    uBootEnvironment(await requirePair(files, fwEnvConfig)),

  'u-boot-two-copies': async (files: Files, { fwEnvConfig }: EnvironmentPlaces) =>
    uBootTwoCopies(await requirePair(files, fwEnvConfig)),

  grub: async (files: Files, places: EnvironmentPlaces) => {
    const directory = await findGrubDirectory(files, places);
    if (directory !== undefined) return grubEnvironment(directory, fileLock(places.grubLock));
    throw new ClientError(
      'badBootEnvironment',
      `Cannot reach the boot environment: there is no mender_grubenv1 in ${places.grubDirectories.join(', ')}, ` +
        `and ${places.grubEnvConfig} names no ENV_DIR. Is the boot partition mounted?`,
    );
  },
} as const satisfies Record<string, (files: Files, places: EnvironmentPlaces) => Promise<BootEnvironment>>;

/** Whichever the device has: fw_env.config is U-Boot's, and its copies tell their kind; else GRUB's directory. */
export async function openWhatIsThere(files: Files, places: EnvironmentPlaces): Promise<BootEnvironment> {
  const pair = await readPair(files, places.fwEnvConfig);
  if (pair !== undefined) {
    return (await uBootEnvironmentKind(pair)) === 'plain' ? uBootTwoCopies(pair) : uBootEnvironment(pair);
  }
  if ((await findGrubDirectory(files, places)) !== undefined)
    return await directEnvironments.grub(files, places);
  throw new ClientError(
    'badBootEnvironment',
    `Cannot reach the boot environment: there is no ${places.fwEnvConfig}, no environment of GRUB in ` +
      `${places.grubDirectories.join(', ')}, and no tools for either are installed.`,
  );
}

async function requirePair(files: Files, fwEnvConfig: string): Promise<CopyPair> {
  const pair = await readPair(files, fwEnvConfig);
  if (pair !== undefined) return pair;
  throw new ClientError(
    'badBootEnvironment',
    `Cannot reach the boot environment: there is no ${fwEnvConfig}.`,
  );
}

async function readPair(files: Files, fwEnvConfig: string): Promise<CopyPair | undefined> {
  const bytes = await files.read(fwEnvConfig, maxConfigBytes);
  if (bytes === undefined) return undefined;
  const [first, second, ...more] = parseFwEnvConfig(Buffer.from(bytes).toString());
  if (first !== undefined && second !== undefined && more.length === 0) return [first, second];
  throw new ClientError(
    'badBootEnvironment',
    `Cannot use the boot environment of ${fwEnvConfig}: it must name two copies. With a single one, ` +
      'a power cut while it is written leaves a device that does not boot.',
  );
}

const maxConfigBytes = 64 * 1024;

async function findGrubDirectory(files: Files, places: EnvironmentPlaces): Promise<string | undefined> {
  const config = Buffer.from((await files.read(places.grubEnvConfig, maxConfigBytes)) ?? '').toString();
  const named = [...config.matchAll(/^ENV_DIR *= *(.*\S)/gm)].at(-1)?.[1];
  if (named !== undefined) return named;
  for (const directory of places.grubDirectories) {
    const found = await files.kind(join(directory, 'mender_grubenv1'));
    if (found?.kind === 'directory') return directory;
  }
  return undefined;
}
