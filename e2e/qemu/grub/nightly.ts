import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bootAfter, limitMs, patience, startDevice } from './device.ts';
import { guestShell } from './guest-shell.ts';
import { repackKernel } from './kernel-package.ts';
import { makeRelease } from './releases.ts';
import { openSite, type Site } from './site.ts';
import { makeStick } from './usb-stick.ts';

const directory = await mkdtemp(join(tmpdir(), 'tandem-qemu-'));
let site: Site;

before(async () => {
  const cache = join(tmpdir(), 'tandem-qemu-cache');
  site = await openSite({
    directory,
    cache,
    debian: 'full',
    say: (line) => process.stderr.write(`${line}\n`),
  });
}, patience);
after(async () => {
  await site.close();
  await rm(directory, { recursive: true, force: true });
});

void describe('a device started by GRUB', () => {
  void test('is updated from a USB stick without a server, and commits by hand', patience, async () => {
    const stick = await makeStick(join(directory, 'good.img'), await makeRelease(site.maker, 'guest-2'));
    await using device = await startDevice({ name: 'stick', disk: site.disk, directory });
    const first = await bootAfter(device, 0);
    const shell = await guestShell(device.console, first.next);
    await device.plugStick(stick);
    await shell.run('until mount -o ro /dev/sda /mnt; do sleep 1; done');
    const installed = await shell.run('mender-update install /mnt/guest-2.mender', limitMs);
    assert.ok([0, 4].includes(installed.code), installed.output);
    const before = device.console.position();
    device.console.send('reboot\r');
    const trial = await bootAfter(device, before);
    assert.equal(trial.partition, '3');
    const updated = await guestShell(device.console, trial.next);
    const committed = await updated.run('mender-update commit');
    assert.equal(committed.code, 0, committed.output);
    assert.match((await updated.run('mender-update show-artifact')).output, /^guest-2/m);
  });

  void test('is reset by its watchdog when the new system hangs, and GRUB goes back', patience, async (t) => {
    const stick = await makeStick(join(directory, 'hangs.img'), await makeRelease(site.maker, 'guest-hangs'));
    await using device = await startDevice({
      name: 'hangs',
      disk: site.disk,
      directory,
      watchdog: 'i6300esb',
    });
    const first = await bootAfter(device, 0);
    const shell = await guestShell(device.console, first.next);
    assert.equal((await shell.run('ls /dev/watchdog0')).code, 0);
    await device.plugStick(stick);
    await shell.run('until mount -o ro /dev/sda /mnt; do sleep 1; done');
    const installed = await shell.run('mender-update install /mnt/guest-hangs.mender', limitMs);
    assert.ok([0, 4].includes(installed.code), installed.output);
    const before = device.console.position();
    device.console.send('reboot\r');
    const trial = await bootAfter(device, before);
    assert.equal(trial.partition, '3');
    const hang = await device.console.waitFor(/hang: now/, { limitMs, after: trial.next });
    const rollback = await device.console.waitFor(/^Tandem: ROLLBACK/, { limitMs, after: hang.next });
    t.diagnostic(`from the hang to the rollback: ${((rollback.atMs - hang.atMs) / 1000).toFixed(1)} s`);
    assert.equal((await bootAfter(device, rollback.next)).partition, '2');
  });

  void test('starts the new kernel after its package was installed on the device', patience, async () => {
    const version = '6.1.0-999-amd64';
    const stick = await makeStick(join(directory, 'kernel.img'), await repackKernel(directory, version));
    await using device = await startDevice({ name: 'kernel', disk: site.disk, directory });
    const first = await bootAfter(device, 0);
    const shell = await guestShell(device.console, first.next);
    await device.plugStick(stick);
    await shell.run('until mount -o ro /dev/sda /mnt; do sleep 1; done');
    const installed = await shell.run('dpkg --install /mnt/linux-image.deb', limitMs);
    assert.equal(installed.code, 0, installed.output);
    const before = device.console.position();
    device.console.send('reboot\r');
    await bootAfter(device, before);
    await device.console.waitFor(new RegExp(`^Tandem: /boot/vmlinuz-${version}`), { limitMs, after: before });
    const updated = await guestShell(device.console, device.console.position());
    assert.match(
      (await updated.run('cat /proc/cmdline')).output,
      new RegExp(`BOOT_IMAGE=\\S*/boot/vmlinuz-${version}`),
    );
    // Its removal goes back to the one before.
    const removed = await updated.run(`dpkg --purge linux-image-${version}`, limitMs);
    assert.equal(removed.code, 0, removed.output);
    assert.doesNotMatch((await updated.run('cat /boot/tandem-kernel.cfg')).output, /999/);
  });
});
