import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { eventually } from '../../demo/site.ts';
import type { VirtualMachine } from '../machine/virtual-machine.ts';
import { bootAfter, limitMs, patience, startDevice } from './device.ts';
import { guestShell } from './guest-shell.ts';
import { makeFileRelease, makeRelease, type ReleaseName } from './releases.ts';
import { deviceName, openSite, type Site } from './site.ts';

const cache = join(tmpdir(), 'tandem-qemu-cache');
const group = 'guests';

/** What a device that GRUB starts must do, `everything` or what is short enough for CI. */
export function describeUpdates(what: string, { everything }: { readonly everything: boolean }): void {
  void describe(what, () => {
    let directory: string;
    let site: Site;
    let device: VirtualMachine;

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'tandem-qemu-'));
      site = await openSite({
        directory,
        cache,
        debian: 'lean',
        say: (line) => process.stderr.write(`${line}\n`),
      });
    }, patience);
    after(async () => {
      await device.cutPower();
      await site.close();
      await rm(directory, { recursive: true, force: true });
    });

    const deployed = async (name: string, artifact: string): Promise<string | undefined> => {
      await site.fleet.upload(artifact);
      const progress = await site.fleet.deployToGroup(name, name, group, { timeoutMs: limitMs });
      return progress.devices[0]?.status;
    };
    const deploy = async (name: ReleaseName) => deployed(name, await makeRelease(site.maker, name));

    void test(
      'starts from the image, is let in, and tells what it runs',
      patience,
      async (t: TestContext) => {
        device = await startDevice({ name: 'served', disk: site.disk, directory });
        assert.equal((await bootAfter(device, 0)).partition, '2');
        await site.fleet.acceptDevices();
        await site.fleet.waitForInventory();
        await site.fleet.putInGroup(group);
        assert.equal(await site.fleet.reportedArtifact(deviceName), 'guest-1');
        t.diagnostic(`from power on to the first inventory: ${String(Math.round(device.upMs() / 1000))} s`);
      },
    );

    void test('takes a file by an update module, and runs its state scripts', patience, async () => {
      const file = await makeFileRelease(site.maker, 'file-1', 'told by an update module');
      assert.equal(await deployed('file-1', file), 'success');
      const shell = await guestShell(device.console, 0);
      assert.match((await shell.run('cat /data/told')).output, /^told by an update module/m);
      assert.match(
        (await shell.run('cat /data/state-scripts')).output,
        /^ArtifactInstall_Enter\n(.*\n)*ArtifactCommit_Leave/m,
      );
    });

    void test('is taken back by GRUB from a kernel that panics', patience, async (t: TestContext) => {
      const before = device.console.position();
      assert.equal(await deploy('guest-panics'), 'failure');
      const trial = await bootAfter(device, before);
      assert.equal(trial.partition, '3');
      const panic = await device.console.waitFor(/Kernel panic/, { limitMs, after: trial.next });
      const rollback = await device.console.waitFor(/^Tandem: ROLLBACK, partition 3/, {
        limitMs,
        after: panic.next,
      });
      assert.equal((await bootAfter(device, rollback.next)).partition, '2');
      t.diagnostic(
        `from the panic to GRUB's way back: ${((rollback.atMs - panic.atMs) / 1000).toFixed(1)} s`,
      );
    });

    // Two starts more than CI has time for.
    if (everything)
      void test('goes back by itself from a root file system that is not well', patience, async () => {
        const before = device.console.position();
        assert.equal(await deploy('guest-unwell'), 'failure');
        const trial = await bootAfter(device, before);
        const back = await bootAfter(device, trial.next);
        assert.deepEqual([trial.partition, back.partition], ['3', '2']);
      });

    void test('is updated, commits, and stays with it over a reboot', patience, async (t: TestContext) => {
      const before = device.console.position();
      assert.equal(await deploy('guest-2'), 'success');
      const down = await device.console.waitFor(/reboot: Restarting system/, { limitMs, after: before });
      const trial = await bootAfter(device, down.next);
      assert.equal(trial.partition, '3');
      // The client tells it after the outcome.
      await eventually('the inventory says guest-2', async () => {
        return (await site.fleet.reportedArtifact(deviceName)) === 'guest-2';
      });
      const shell = await guestShell(device.console, trial.next);
      const up = await device.console.waitFor(/root@guest/, { limitMs, after: trial.next });
      t.diagnostic(`downtime, from the reset to a prompt: ${((up.atMs - down.atMs) / 1000).toFixed(1)} s`);
      assert.match((await shell.run('cat /etc/guest-release')).output, /^guest-2/m);
      const reboot = device.console.position();
      device.console.send('reboot\r');
      const again = await bootAfter(device, reboot);
      assert.equal(again.partition, '3');
      const kept = await guestShell(device.console, again.next);
      assert.match((await kept.run('mender-update show-artifact')).output, /^guest-2/m);
    });
  });
}
