import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { bootAfter, limitMs, patience, startDevice } from '../grub/device.ts';
import { makeRelease, type ReleaseName } from '../grub/releases.ts';
import { deviceName, openSiteFor, type Site } from '../grub/site.ts';
import { eventually } from '../../demo/site.ts';
import type { VirtualMachine } from '../machine/virtual-machine.ts';
import type { UBootGuest } from './guests.ts';

const group = 'guests';
const cache = join(tmpdir(), 'tandem-qemu-cache');

/** What a device that U-Boot starts must do, whichever U-Boot it is. */
export function describeUpdates(what: string, guest: UBootGuest): void {
  void describe(what, () => {
    let directory: string;
    let site: Site;
    let device: VirtualMachine;
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'tandem-qemu-'));
      const say = (line: string): void => void process.stderr.write(`${line}\n`);
      site = await openSiteFor(guest, { directory, cache, say });
    }, patience);
    after(async () => {
      await device.cutPower();
      await site.close();
      await rm(directory, { recursive: true, force: true });
    });

    const deploy = async (name: ReleaseName): Promise<string | undefined> => {
      await site.fleet.upload(await makeRelease(site.maker, name));
      const progress = await site.fleet.deployToGroup(name, name, group, { timeoutMs: limitMs });
      return progress.devices[0]?.status;
    };
    const runs = (release: string, after: number) =>
      device.console.waitFor(new RegExp(`^guest: ${release} on (\\S+)`), { limitMs, after });

    void test(
      'starts from the image, is let in, and tells what it runs',
      patience,
      async (t: TestContext) => {
        const hardware = await guest.hardware();
        device = await startDevice({ name: 'u-boot', disk: site.disk, directory, ...hardware });
        assert.equal((await bootAfter(device, 0)).partition, '2');
        const up = await runs('guest-1', 0);
        t.diagnostic(`from power on to the first process: ${seconds(up.atMs)}`);
        await site.fleet.acceptDevices();
        await site.fleet.waitForInventory();
        await site.fleet.putInGroup(group);
        assert.equal(await site.fleet.reportedArtifact(deviceName), 'guest-1');
        t.diagnostic(`from power on to the first inventory: ${seconds(device.upMs())}`);
      },
    );

    void test(
      'is taken back by U-Boot from an update that never commits',
      patience,
      async (t: TestContext) => {
        const before = device.console.position();
        assert.equal(await deploy('guest-panics'), 'failure');
        const trial = await bootAfter(device, before);
        assert.equal(trial.partition, '3');
        const panic = await device.console.waitFor(/Kernel panic/, { limitMs, after: trial.next });
        const goesBack = /^tandem: the update on trial was not committed, going back/;
        const rollback = await device.console.waitFor(goesBack, { limitMs, after: panic.next });
        assert.equal((await bootAfter(device, rollback.next)).partition, '2');
        const up = await runs('guest-1', rollback.next);
        t.diagnostic(
          `from the panic to the first process of what ran before: ${seconds(up.atMs - panic.atMs)}`,
        );
        assert.equal(await site.fleet.reportedArtifact(deviceName), 'guest-1');
      },
    );

    void test(
      'is updated, commits, and stays with it when its power goes',
      patience,
      async (t: TestContext) => {
        const before = device.console.position();
        assert.equal(await deploy('guest-2'), 'success');
        const down = await device.console.waitFor(/reboot: Restarting system/, { limitMs, after: before });
        const trial = await bootAfter(device, down.next);
        assert.equal(trial.partition, '3');
        const up = await runs('guest-2', trial.next);
        t.diagnostic(`downtime, from the reset to the first process: ${seconds(up.atMs - down.atMs)}`);
        // The client tells it after the outcome.
        await eventually('the inventory says guest-2', async () => {
          return (await site.fleet.reportedArtifact(deviceName)) === 'guest-2';
        });
        const reset = device.console.position();
        await device.reset();
        const again = await bootAfter(device, reset);
        assert.equal(again.partition, '3');
        await runs('guest-2', again.next);
      },
    );
  });
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
