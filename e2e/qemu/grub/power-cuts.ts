import assert from 'node:assert/strict';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '@tandem/demo';
import type { VirtualMachine } from '../machine/virtual-machine.ts';
import { chooseMoment, cutPoints, cutRuns, type CutRun } from './cut-points.ts';
import { limitMs, ownDisk, patience, startAgain, startDevice } from './device.ts';
import { guestShell } from './guest-shell.ts';
import { makeRelease } from './releases.ts';
import { deviceName, openSite, type Site } from './site.ts';

/**
 * The power goes during updates over HTTPS: QEMU is killed at cut points, started again, killed again, and the device must come to a good
 * end by itself. TANDEM_SEED chooses when exactly (default: the date), TANDEM_ROUNDS how often each run has its turn.
 */
const seed = process.env['TANDEM_SEED'] ?? new Date().toISOString().slice(0, 10);
const rounds = Number(process.env['TANDEM_ROUNDS'] ?? 1);

const directory = await mkdtemp(join(tmpdir(), 'tandem-qemu-'));
const group = 'guests';
let site: Site;
/** The disk of a device that was let in, has told what it runs, and waits for work. */
const waiting = join(directory, 'waiting.img');

before(async () => {
  site = await openSite({
    directory,
    cache: join(tmpdir(), 'tandem-qemu-cache'),
    debian: 'lean',
    say: (line) => process.stderr.write(`${line}\n`),
  });
  for (const release of new Set(cutRuns.map((run) => run.release)))
    await site.fleet.upload(await makeRelease(site.maker, release));
  const first = { name: 'first', disk: site.disk, directory };
  await using device = await startDevice(first);
  await site.fleet.acceptDevices();
  await site.fleet.waitForInventory();
  await site.fleet.putInGroup(group);
  assert.equal(await site.fleet.reportedArtifact(deviceName), 'guest-1');
  await (await guestShell(device.console, 0)).run('sync');
  await device.stop();
  await runProgram('qemu-img', ['convert', '-O', 'raw', ownDisk(first), `${waiting}.new`]);
  await rename(`${waiting}.new`, waiting);
}, patience);
after(async () => {
  await site.close();
  await rm(directory, { recursive: true, force: true });
});

void describe('a device whose power goes comes to a good end by itself', () => {
  for (const [index, run] of Array.from({ length: rounds }, () => cutRuns)
    .flat()
    .entries())
    void test(`${run.release}, run ${String(index + 1)}: ${run.cuts.join(', ')}`, patience, async (t) => {
      t.diagnostic(await cutAndSee(run, index));
    });
});

/** Answers what was done and seen. */
async function cutAndSee({ release, cuts, ends }: CutRun, run: number): Promise<string> {
  const options = { name: `cuts-${String(run + 1)}`, disk: waiting, directory };
  const done: string[] = [];
  let isOver = false;
  const deployment = site.fleet
    .deployToGroup(options.name, release, group, { timeoutMs: patience.timeout })
    .finally(() => (isOver = true));
  // Where something else fails first, that is what is told.
  deployment.catch(() => undefined);
  let device = await startDevice(options);
  const cut = async (): Promise<void> => {
    await device.cutPower();
    device = await startAgain(options);
  };
  try {
    for (const [place, name] of cuts.entries()) {
      // A cut that fell on the other side of the flag leads elsewhere: the deployment ends without this line.
      const line = device.console.waitFor(cutPoints[name].line, { limitMs });
      const isReached = await Promise.race([
        line.then(() => true),
        deployment.then(
          async () => (await Promise.allSettled([withinReach(line)]))[0].status === 'fulfilled',
        ),
      ]);
      if (!isReached) {
        done.push(`"${name}" not reached`);
        continue;
      }
      const moment = chooseMoment(seed, run, place, cutPoints[name]);
      // The one place where time itself is what is waited for.
      await sleep(moment);
      await cut();
      done.push(`"${name}" + ${String(moment)} ms${isOver ? ', behind the end' : ''}`);
    }
    const { devices } = await deployment;
    const status = devices[0]?.status;
    const partition = await assertGoodEnd(device, status);
    if (ends !== 'either') assert.equal(status, ends);
    // It stays so: nothing that the client might still have done is needed for it.
    await cut();
    const { match } = await device.console.waitFor(
      /^Tandem: starting partition (\d), upgrade_available=(\d) /,
      { limitMs },
    );
    assert.deepEqual([match[1], match[2]], [partition, '0']);
    return `${done.join('; ')}; and once more in the end; ${String(status)}, partition ${partition}`;
  } catch (cause) {
    throw new Error(`after ${done.join('; ')}: ${cause instanceof Error ? cause.message : ''}`, { cause });
  } finally {
    await device.cutPower();
    await rm(ownDisk(options), { force: true });
  }
}

/** What the line says of an end comes with it, a moment earlier or later. */
const withinReach = async (line: Promise<unknown>): Promise<void> => {
  const late = sleep(3000, undefined, { ref: false }).then(() => Promise.reject(new Error('not said')));
  await Promise.race([line, late]);
};

/** What runs is whole, is what the device says it is, and what the server was told; answers the partition it runs from. */
async function assertGoodEnd(device: VirtualMachine, status: string | undefined): Promise<string> {
  const expected = {
    success: { partition: '3', artifact: 'guest-2' },
    failure: { partition: '2', artifact: 'guest-1' },
  };
  assert.ok(status === 'success' || status === 'failure', `the deployment ended as ${String(status)}`);
  const { partition, artifact } = expected[status];
  const { lines, position } = device.console;
  assert.ok(!lines.some(({ text }) => text.includes('NO BOOT ENVIRONMENT')), 'both copies were lost');
  const lastBoot = lines.findLastIndex(({ text }) => text.startsWith('Tandem: starting partition'));
  const shell = await guestShell(device.console, position() - lines.length + lastBoot);
  const said = async (command: string): Promise<string> => (await shell.run(command)).output;
  assert.match(await said('cat /proc/cmdline'), new RegExp(`root=/dev/nvme0n1p${partition} `));
  assert.match(await said('mender-update show-artifact'), new RegExp(`^${artifact}$`, 'm'));
  assert.match(await said('cat /etc/guest-release || echo guest-1'), new RegExp(`^${artifact}$`, 'm'));
  return partition;
}
