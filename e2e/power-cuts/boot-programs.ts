import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { partitionNumbers, type BoardKind } from './small-disk.ts';

/** What a bootloader has decided. */
export interface Boot {
  /** The partition it starts; undefined when it starts none, or had no environment to decide by. */
  readonly partition: number | undefined;
  readonly trial: boolean;
  /** Everything it printed. */
  readonly said: string;
}

/** Starts the real bootloader on a disk image, which it changes as it does on a device. */
export type RunBootloader = (disk: string) => Promise<Boot>;

const project = resolve(import.meta.dirname, '../..');
/** The part of GRUB's configuration that reads the environment, decides, and writes it. */
export const grubChoice = join(project, 'packages/image/support/grub-efi/choose.cfg');

/**
 * GRUB as a program of this machine (grub-emu: GRUB's own parser, drivers of partitions and file systems, and environment commands),
 * running the choice of our images, or `choice` instead of it.
 */
export async function grub(work: string, choice = grubChoice): Promise<RunBootloader> {
  await mkdir(work, { recursive: true });
  const own = join(work, 'choose.cfg');
  await copyFile(choice, own);
  await writeFile(
    join(work, 'grub.cfg'),
    `set part_a=${partitionNumbers.rootA}
set part_b=${partitionNumbers.rootB}
set environment="(hd0,1)/grub-mender-grubenv"
source ${own}
echo "CHOSEN partition=$mender_boot_part trial=$upgrade_available"
exit
`,
  );
  let runs = 0;
  return async (disk) => {
    runs += 1;
    const map = join(work, `device-${runs}.map`);
    await writeFile(map, `(hd0) ${disk}\n`);
    const said = await printed(
      'grub-emu',
      ['--device-map', map, '--directory', work, '--root', 'host'],
      work,
    );
    const [, partition, trial] = /CHOSEN partition=(\d+) trial=(\d*)/.exec(said) ?? [];
    const knows = partition !== undefined && !said.includes('NO BOOT ENVIRONMENT');
    return { partition: knows ? Number(partition) : undefined, trial: trial === '1', said };
  };
}

/** U-Boot as a program of this machine (sandbox), with the boot counter and the redundant environment of a board. */
export function uBoot(program: string, deviceTree: string): RunBootloader {
  return async (disk) => {
    // It looks for disk.img in its working directory.
    const said = await printed(program, ['-d', deviceTree], join(disk, '..'));
    const [, partition, trial] = /tandem: starting partition (\d+), upgrade_available=(\d*)/.exec(said) ?? [];
    const knows =
      partition !== undefined && said.includes('BOOTI ') && !/bad CRC|no boot environment/.test(said);
    return { partition: knows ? Number(partition) : undefined, trial: trial === '1', said };
  };
}

export const environmentKind: Readonly<Record<BoardKind, string>> = { grub: 'grub', 'u-boot': 'u-boot' };

const bootLimitMs = 30_000;

/** What a bootloader prints, without what it prints for a terminal. It ends by itself, or is ended. */
async function printed(program: string, args: readonly string[], cwd: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { cwd, timeout: bootLimitMs, killSignal: 'SIGKILL' },
      (error, stdout) => {
        if (error !== null && 'code' in error && error.code === 'ENOENT') reject(error);
        else resolve(stripVTControlCharacters(stdout).replaceAll('\r', ''));
      },
    );
    child.stdin?.end();
  });
}
