import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import { grub } from './boot-programs.ts';
import { findMutant, quickLimits } from './find-mutant.ts';
import { mutants, type Mutant } from './mutants.ts';
import { prove } from './prove.ts';
import { recordUpdate } from './record-update.ts';
import { makeSmallDisk } from './small-disk.ts';
import { proveTwoCopies } from './two-copies.ts';

/*
 * A whole update of a device with GRUB by the real client, each write and flush of its disk recorded, and what a power cut would leave
 * shown to the real GRUB, the kernel, e2fsck and the client. A short way through it: `run-proof.ts` looks at more states, goes on with
 * each, does the same with U-Boot, and looks for every mutant.
 */
const directory = await mkdtemp(join(tmpdir(), 'power-cuts-'));
after(() => rm(directory, { recursive: true }));
const seed = 1;
/** The runner's own limit is for tests that do less. */
const patience = { timeout: 240_000 };
const boot = await grub(join(directory, 'grub'));

test(
  'a power cut at any write leaves a device that boots a whole system and finishes or undoes its update',
  patience,
  async (t) => {
    const program = join(directory, 'tandem-update.mjs');
    await buildBundle(program);
    const disk = await makeSmallDisk('grub', 'commit', join(directory, 'make'));
    const recorded = await recordUpdate(disk, program, boot, join(directory, 'record'));
    const { violations, distinct, recoveries } = await prove(recorded, {
      kind: 'grub',
      story: 'commit',
      program,
      boot,
      seed,
      work: join(directory, 'prove'),
      newImage: disk.newImage,
      limits: quickLimits,
      mostRecoveries: 4,
    });
    t.diagnostic(`${distinct} disks, ${recoveries} gone on with`);
    assert.deepEqual(violations, []);
    assert.ok(distinct > 100 && recoveries === 4);
  },
);

for (const name of ['directory-not-flushed', 'saved-after-acting'] as const) {
  test(`it would be seen if this were broken: ${mutants[name].breaks}`, patience, async () => {
    const found = await findMutant(mutants[name], {
      kind: 'grub',
      boot,
      seed,
      work: join(directory, name),
      mostRecoveries: 0,
    });
    assert.ok(found !== undefined);
  });
}

test('two plain copies of an environment hold what stood there or what was decided after every cut; not so when both are written at once', async () => {
  const prove = (mutant?: Mutant) => proveTwoCopies(join(directory, 'copies'), mutant);
  assert.equal((await prove()).violation, undefined);
  assert.match((await prove(mutants['good-copy-overwritten'])).violation ?? '', /neither copy is valid/);
});
