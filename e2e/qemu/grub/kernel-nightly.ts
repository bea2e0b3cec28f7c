import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootAfter, limitMs, patience, startDevice } from './device.ts';
import { guestShell } from './guest-shell.ts';
import { repackKernel } from './kernel-package.ts';
import { openSite } from './site.ts';
import { makeStick } from './usb-stick.ts';

void test(
  'a whole Debian starts the new kernel after its package was installed on the device',
  patience,
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'tandem-qemu-'));
    const cache = join(tmpdir(), 'tandem-qemu-cache');
    const say = (line: string): void => void process.stderr.write(`${line}\n`);
    // An initrd is put together uncompressed beside the one that is there.
    const settings = ['rootfs.overheadPercent=150'];
    const site = await openSite({ directory, cache, debian: 'full', settings, say });
    t.after(async () => {
      await site.close();
      await rm(directory, { recursive: true, force: true });
    });
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
  },
);
