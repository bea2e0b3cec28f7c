import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import { buildUBoot } from '../qemu/u-boot/build.ts';
import { grub, uBoot, type RunBootloader } from './boot-programs.ts';
import { findMutant, quickLimits } from './find-mutant.ts';
import { bootloaderMutants, mutants, type Mutant } from './mutants.ts';
import { prove } from './prove.ts';
import { recordUpdate } from './record-update.ts';
import { makeSmallDisk } from './small-disk.ts';
import { proveTwoCopies } from './two-copies.ts';

/**
 * The full proof of `power-cuts.test.ts`. Prints what was looked at and what was found, as JSON, or a line for each mutant. Needs root,
 * and memory at `--work` for a few hundred disks of 10 MiB.
 *
 *   node e2e/power-cuts/run-proof.ts --board grub|u-boot [--story commit|rollback] [--quick] [--seed 1] [--recoveries N] [--further N] [--data-mount OPTION] [--work /dev/shm]
 *   node e2e/power-cuts/run-proof.ts --board grub|u-boot --mutants all|NAME,NAME
 *   node e2e/power-cuts/run-proof.ts --board u-boot-two-copies
 */
const { values } = parseArgs({
  options: {
    board: { type: 'string', default: 'grub' },
    story: { type: 'string', default: 'commit' },
    seed: { type: 'string', default: '1' },
    recoveries: { type: 'string' },
    further: { type: 'string', default: '0' },
    mutants: { type: 'string' },
    'data-mount': { type: 'string' },
    work: { type: 'string', default: '/dev/shm' },
    quick: { type: 'boolean', default: false },
  },
});
const say = (line: string) => process.stderr.write(`${new Date().toISOString()} ${line}\n`);
const fullLimits = {
  exhaustiveWrites: 7,
  sampledSubsets: 24,
  exhaustiveSectors: 8,
  sampledTears: 6,
} as const;

const kind = values.board === 'u-boot' ? 'u-boot' : 'grub';
const story = values.story === 'rollback' ? 'rollback' : 'commit';
const seed = Number(values.seed);
const most = values.recoveries === undefined ? {} : { mostRecoveries: Number(values.recoveries) };
const work = await mkdtemp(join(values.work, 'power-cuts-'));
try {
  if (values.board === 'u-boot-two-copies') await proveCopies();
  else {
    const boot = kind === 'grub' ? await grub(join(work, 'grub')) : await sandbox();
    await (values.mutants === undefined ? proveAll(boot) : findAll(values.mutants, boot));
  }

  /** The environment alone, and its mutant: seconds. */
  async function proveCopies(): Promise<void> {
    const mutant = mutants['good-copy-overwritten'];
    const sound = await proveTwoCopies(join(work, 'sound'));
    const faulty = await proveTwoCopies(join(work, 'faulty'), mutant);
    process.stdout.write(`${JSON.stringify({ sound, 'good-copy-overwritten': faulty }, undefined, 2)}\n`);
    if (sound.violation !== undefined || faulty.violation === undefined) process.exitCode = 1;
  }

  async function proveAll(boot: RunBootloader): Promise<void> {
    const program = join(work, 'tandem-update.mjs');
    await buildBundle(program);
    const disk = await makeSmallDisk(kind, story, join(work, 'make'));
    const recorded = await recordUpdate(disk, program, boot, join(work, 'record'), values['data-mount']);
    say(`recorded ${recorded.entries.length} entries: ${JSON.stringify(recorded.end)}`);
    const proof = await prove(recorded, {
      kind,
      story,
      program,
      boot,
      seed,
      ...most,
      furtherPerMille: Number(values.further),
      told: say,
      work: join(work, 'prove'),
      newImage: disk.newImage,
      limits: values.quick ? quickLimits : fullLimits,
    });
    process.stdout.write(`${JSON.stringify(proof, undefined, 2)}\n`);
    if (proof.violations.length > 0) process.exitCode = 1;
  }

  async function findAll(asked: string, boot: RunBootloader): Promise<void> {
    const all: Readonly<Record<string, Mutant>> = { ...mutants, ...bootloaderMutants };
    const names = asked === 'all' ? Object.keys(all) : asked.split(',');
    for (const name of names) {
      const mutant = all[name];
      if (mutant === undefined) throw new Error(`There is no mutant ${name}.`);
      if (mutant.foundBy !== 'power cuts' || (mutant.device ?? kind) !== kind) continue;
      const found = await findMutant(mutant, { kind, boot, seed, ...most, work: join(work, 'mutant') });
      if (found === undefined) process.exitCode = 1;
      const what = found === undefined ? 'NOT FOUND' : `${found.promise}: ${found.what} (${found.cut})`;
      process.stdout.write(`| ${name} | ${what.replaceAll(/\s+/g, ' ').slice(0, 400)} |\n`);
    }
  }
} finally {
  await rm(work, { recursive: true, force: true });
}

async function sandbox() {
  const { path, deviceTree } = await buildUBoot('sandbox');
  return uBoot(path, deviceTree);
}
