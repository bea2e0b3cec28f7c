import { createUBootEnvironment, createUBootTwoCopies, type CopyPair } from '@tandem/boot-environment';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Board } from '../board.ts';
import type { BootContext, Bootloader } from '../bootloader.ts';
import type { BootloaderSettings } from '../bootloaders.ts';
import type { RawWrite } from '../image-file.ts';
import { ImageError } from '../image-error.ts';
import { bootScript, goingBack, initialVariables, plainCopies, type BootScriptFacts } from './boot-script.ts';
import { scriptImage } from './script-image.ts';
import { readUBootSettings, type UBootSettings } from './u-boot-settings.ts';

const kib = 1024;
const commandOf = {
  amd64: 'bootz',
  arm64: 'booti',
  armhf: 'bootz',
  i386: 'bootz',
  riscv64: 'booti',
} as const satisfies Record<Board['architecture'], string>;

/**
 * Boards started by U-Boot. What decides is boot.scr on the boot partition, which U-Boot's distro boot finds; U-Boot itself is the
 * board's, put before the partitions by `firmware`, or already in the board.
 */
export function uBoot(given: BootloaderSettings): Bootloader {
  const settings = readUBootSettings(given);
  const redundant = settings.environment === 'redundant';
  const firmwareEnd = Math.max(
    0,
    ...settings.firmware.map(({ offsetKiB }) => (offsetKiB + mostFirmwareKiB) * kib),
  );
  return {
    programs: {},
    reservedBytes: redundant
      ? Math.max((settings.environmentOffsetKiB + 2 * settings.environmentSizeKiB) * kib, firmwareEnd)
      : firmwareEnd,
    // Both are read directly: U-Boot's own tools cannot read two plain copies, and a power cut may harm what they write.
    clientConfiguration: { BootEnvironment: redundant ? 'u-boot' : 'u-boot-two-copies' },
    problems: async ({ partitions, root, kernelArguments }) => {
      const problems: string[] = [];
      if (partitions.boot === undefined)
        problems.push('U-Boot needs a boot partition for boot.scr: set boot.sizeMiB.');
      if (!(await anyExists(root, settings.kernels)))
        problems.push(
          `There is no kernel where U-Boot would look for it (${settings.kernels.join(', ')}): install one, or name it by ` +
            'bootloaderSettings.kernels.',
        );
      if (settings.deviceTree !== '' && !(await root.exists(settings.deviceTree)))
        problems.push(`The device tree ${settings.deviceTree} is not in the root file system.`);
      if (/['\n]/.test(kernelArguments))
        problems.push('kernelArguments must not hold single quotes: they end a text of the boot script.');
      return problems;
    },
    bootFiles: async (context) => {
      const text = bootScript(factsOf(settings, context));
      const script = scriptImage(text, 'tandem boot script', context.sourceDate);
      return [
        { path: '/boot.scr', bytes: script },
        { path: '/boot.cmd', text },
        ...(redundant ? [] : await plainCopiesOf(settings, context)),
      ];
    },
    rootFiles: ({ board }) =>
      Promise.resolve([
        {
          path: '/etc/fw_env.config',
          text: fwEnvConfig(
            redundant
              ? redundantCopies(settings, settings.environmentDevice)
              : plainPair(board['boot.mount']),
          ),
        },
      ]),
    rawWrites: async (context) => [
      ...settings.firmware.map(({ file, offsetKiB }): RawWrite => ({
        offsetBytes: offsetKiB * kib,
        content: { copyOf: file },
        name: file,
      })),
      ...(redundant && settings.initialEnvironment !== '' ? await initialCopies(settings, context) : []),
    ],
    filesBeside: () => Promise.resolve([]),
  };
}

/** U-Boot's images are below 2 MiB; the room is kept free without opening them. */
const mostFirmwareKiB = 4096;

const anyExists = async (root: BootContext['root'], paths: readonly string[]): Promise<boolean> =>
  (await Promise.all(paths.map((path) => root.exists(path)))).includes(true);

const factsOf = (
  settings: UBootSettings,
  { board, partitions, kernelArguments }: BootContext,
): BootScriptFacts => ({
  settings,
  bootCommand: settings.bootCommand ?? commandOf[board.architecture],
  rootA: partitions.rootA,
  rootB: partitions.rootB,
  kernelArguments,
});

/** The text of /etc/fw_env.config, for the client and for U-Boot's own tools. */
export const fwEnvConfig = (copies: CopyPair): string =>
  [
    '# Where the boot environment lies: device, offset, size. Made by tandem-image.',
    ...copies.map(
      ({ path, offsetBytes, sizeBytes }) =>
        `${path} 0x${offsetBytes.toString(16)} 0x${sizeBytes.toString(16)}`,
    ),
    '',
  ].join('\n');

function redundantCopies(
  { environmentOffsetKiB, environmentSizeKiB }: UBootSettings,
  path: string,
): CopyPair {
  const sizeBytes = environmentSizeKiB * kib;
  const offsetBytes = environmentOffsetKiB * kib;
  return [
    { path, offsetBytes, sizeBytes },
    { path, offsetBytes: offsetBytes + sizeBytes, sizeBytes },
  ];
}

function plainPair(directory: string): CopyPair {
  const [first, second] = plainCopies.names;
  const { sizeBytes } = plainCopies;
  return [
    { path: join(directory, first), offsetBytes: 0, sizeBytes },
    { path: join(directory, second), offsetBytes: 0, sizeBytes },
  ];
}

async function plainCopiesOf(settings: UBootSettings, { partitions, workDirectory }: BootContext) {
  const directory = join(workDirectory, 'u-boot-copies');
  await mkdir(directory, { recursive: true });
  const copies = plainPair(directory);
  await createUBootTwoCopies(copies, initialVariables({ settings, rootA: partitions.rootA }));
  return plainCopies.names.map((name) => ({ path: `/${name}`, copyOf: join(directory, name) }));
}

async function initialCopies(settings: UBootSettings, context: BootContext): Promise<RawWrite[]> {
  const file = settings.initialEnvironment;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ImageError('badBoard', `cannot read U-Boot's initial environment ${file}`, { cause });
  });
  const { rootA, rootB } = context.partitions;
  const variables = {
    ...parseInitialEnvironment(text),
    ...initialVariables({ settings, rootA }),
    ...goingBack({ rootA, rootB }),
  };
  const [first, second] = ['1', '2'].map((name) => ({
    path: join(context.workDirectory, `u-boot-environment-${name}`),
    offsetBytes: 0,
    sizeBytes: settings.environmentSizeKiB * kib,
  })) as [CopyPair[0], CopyPair[1]];
  await createUBootEnvironment([first, second], variables);
  return redundantCopies(settings, '').map(({ offsetBytes }, index) => ({
    offsetBytes,
    content: { copyOf: (index === 0 ? first : second).path },
    name: `U-Boot's environment, copy ${String(index + 1)}`,
  }));
}

/** `name=value` a line, as `make u-boot-initial-env` writes it. */
const parseInitialEnvironment = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^([^=\n]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
