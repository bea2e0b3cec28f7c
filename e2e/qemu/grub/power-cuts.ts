import assert from 'node:assert/strict';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '@tandem/demo';
import type { VirtualMachine } from '../machine/virtual-machine.ts';
import { chooseCut, cutPoints, type CutName, type CutPoint } from './cut-points.ts';
import { limitMs, ownDisk, patience, startAgain, startDevice } from './device.ts';
import { guestShell } from './guest-shell.ts';
import { makeRelease } from './releases.ts';
import { deviceName, openSite, type Site } from './site.ts';

/**
 * The power goes during an update over HTTPS: QEMU is killed at each of the cut points, started again, and must come to a good end by
 * itself. TANDEM_SEED chooses when exactly (default: the date), TANDEM_ROUNDS how often each point has its turn.
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
  for (const release of new Set(Object.values(cutPoints).map((point) => point.release)))
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
  for (let round = 1; round <= rounds; round += 1)
    for (const name of Object.keys(cutPoints) as CutName[])
      void test(`cut at "${name}", round ${String(round)}`, patience, async (t) => {
        const began = performance.now();
        const { told, outcome } = await cutAndSee(name, round);
        const seconds = String(Math.round((performance.now() - began) / 1000));
        t.diagnostic(`${told}; ${outcome}; ${seconds} s`);
      });
});

async function cutAndSee(name: CutName, round: number): Promise<{ told: string; outcome: string }> {
  const point: CutPoint = cutPoints[name];
  const { afterMs, againMs } = chooseCut(seed, name, round);
  const options = { name: `cut-${name.replaceAll(/\W+/g, '-')}-${String(round)}`, disk: waiting, directory };
  const deployment = site.fleet.deployToGroup(options.name, point.release, group, { timeoutMs: limitMs });
  // Where something else fails first, that is what is told.
  deployment.catch(() => undefined);
  let device = await startDevice(options);
  /** Starts it anew after a moment that was chosen, without a word to the guest. */
  const cut = async (moment: number): Promise<void> => {
    // The one place where time itself is what is waited for.
    await sleep(moment);
    await device.cutPower();
    device = await startAgain(options);
  };
  try {
    const from = point.behind === undefined ? 0 : await positionOf(device, point.behind, 0);
    await positionOf(device, point.line, from);
    await cut(afterMs);
    if (againMs !== undefined) await cut(againMs);
    const { devices } = await deployment;
    const status = devices[0]?.status;
    const repaired = device.console.lines.some(({ text }) => text.startsWith('Tandem: repairing'));
    const partition = await assertGoodEnd(device, status);
    if (point.ends !== 'either') assert.equal(status, point.ends);
    // It stays so: not even what the client does last of all is needed for it.
    await cut(0);
    const last = await device.console.waitFor(/^Tandem: starting .*/, { limitMs });
    assert.match(
      last.text,
      new RegExp(`^Tandem: starting partition ${partition}, upgrade_available=0 bootcount=0`),
    );
    const again = againMs === undefined ? '' : `, and ${String(againMs)} ms after power came back`;
    return {
      told: `${String(afterMs)} ms behind the line${again}`,
      outcome: `${status ?? ''}, partition ${partition}${repaired ? ', GRUB repaired a copy of its environment' : ''}`,
    };
  } finally {
    await device.cutPower();
    await rm(ownDisk(options), { force: true });
  }
}

const positionOf = async ({ console }: VirtualMachine, line: RegExp, after: number): Promise<number> =>
  (await console.waitFor(line, { limitMs, after })).next;

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
