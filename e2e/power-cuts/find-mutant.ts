import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import { grub, type RunBootloader } from './boot-programs.ts';
import { buildMutant, withChange } from './build-mutant.ts';
import type { Mutant } from './mutants.ts';
import { prove, type Violation } from './prove.ts';
import { recordUpdate } from './record-update.ts';
import { makeSmallDisk, type BoardKind } from './small-disk.ts';

/** Few states, which are enough: a fault shows in many. */
export const quickLimits = {
  exhaustiveWrites: 3,
  sampledSubsets: 4,
  exhaustiveSectors: 2,
  sampledTears: 1,
} as const;

export interface MutantOptions {
  readonly kind: BoardKind;
  readonly work: string;
  readonly boot: RunBootloader;
  readonly seed: number;
  readonly mostRecoveries?: number;
}

/** Records an update by the client, or by the bootloader, with the fault, and looks for a state that breaks a promise; gives the first. */
export async function findMutant(mutant: Mutant, options: MutantOptions): Promise<Violation | undefined> {
  const { kind, work } = options;
  const story = mutant.story ?? 'commit';
  await mkdir(work, { recursive: true });
  try {
    const program = join(work, 'tandem-update.mjs');
    let { boot } = options;
    if (mutant.file.endsWith('.cfg')) {
      const choice = join(work, 'mutant.cfg');
      const original = await readFile(resolve(import.meta.dirname, '../..', mutant.file), 'utf8');
      await writeFile(choice, withChange(original, mutant));
      boot = await grub(join(work, 'grub'), choice);
      await buildBundle(program);
    } else await buildMutant(mutant, program);
    const disk = await makeSmallDisk(kind, story, join(work, 'make'));
    const recorded = await recordUpdate(disk, program, boot, join(work, 'record'), mutant.dataMount);
    const { violations } = await prove(recorded, {
      ...options,
      boot,
      story,
      program,
      newImage: disk.newImage,
      work: join(work, 'prove'),
      limits: quickLimits,
      stopAtFirst: true,
    });
    return violations[0];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
