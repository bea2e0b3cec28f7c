import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bootAfter, limitMs, patience, startDevice } from './device.ts';
import { guestShell, type GuestShell } from './guest-shell.ts';
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

void describe('a device started by GRUB, a whole Debian', () => {
  void test('is updated over HTTPS, and keeps its identity and its grown data', patience, async (t) => {
    const hardware = { storageBytes: 3 * 1024 ** 3, processors: 2 };
    await using device = await startDevice({ name: 'served', disk: site.disk, directory, ...hardware });
    const first = await bootAfter(device, 0);
    const shell = await guestShell(device.console, first.next);
    /** What outlives an update: grown once, made once. */
    const kept = async ({ run }: GuestShell): Promise<readonly string[]> => {
      // They are run at each start; this waits for them.
      const services = await run('systemctl start tandem-grow-data tandem-keep-ssh-keys', limitMs);
      assert.equal(services.code, 0, services.output);
      const told = async (command: string, pattern: RegExp): Promise<string> => {
        const { output } = await run(command);
        return pattern.exec(output)?.[0] ?? assert.fail(`${command} said ${output}`);
      };
      return [
        await told('cat /etc/machine-id', /^[0-9a-f]{32}$/m),
        await told('ssh-keygen -lf /data/tandem/etc/ssh/ssh_host_ed25519_key.pub', /SHA256:\S+/),
        await told('df --block-size=1M --output=size /data', /^ *\d+$/m),
      ];
    };
    const before = await kept(shell);
    assert.ok(Number(before[2]) > 1500, `the data partition has ${before[2] ?? ''} MiB`);
    // While the partition grew nothing that needs it was stopped.
    assert.doesNotMatch((await shell.run('journalctl --boot --unit data.mount')).output, /Unmount/);
    assert.match(
      (await shell.run('sshd -T')).output,
      /^hostkey \/data\/tandem\/etc\/ssh\/ssh_host_ed25519_key/m,
    );
    await site.fleet.acceptDevices();
    await site.fleet.waitForInventory();
    await site.fleet.putInGroup('guests');
    await site.fleet.upload(await makeRelease(site.maker, 'guest-2'));
    const follow = { timeoutMs: limitMs };
    const began = device.console.position();
    const { devices } = await site.fleet.deployToGroup('served', 'guest-2', 'guests', follow);
    assert.equal(devices[0]?.status, 'success');
    const down = await device.console.waitFor(/reboot: Restarting system/, { limitMs, after: began });
    const trial = await bootAfter(device, down.next);
    assert.equal(trial.partition, '3');
    const updated = await guestShell(device.console, trial.next);
    const up = await device.console.waitFor(/root@guest/, { limitMs, after: trial.next });
    t.diagnostic(`downtime, from the reset to a prompt: ${((up.atMs - down.atMs) / 1000).toFixed(1)} s`);
    t.diagnostic(`data partition of 128 MiB, on a storage of 3 GiB: ${before[2] ?? ''} MiB`);
    assert.deepEqual(await kept(updated), before);
    assert.match((await updated.run('cat /etc/guest-release')).output, /^guest-2/m);
  });

  void test(
    'is updated under Secure Boot from a USB stick, without a server, and commits by hand',
    patience,
    async () => {
      const stick = await makeStick(join(directory, 'good.img'), await makeRelease(site.maker, 'guest-2'));
      const firmware = { kind: 'uefi-secure-boot' } as const;
      await using device = await startDevice({ name: 'stick', disk: site.disk, directory, firmware });
      const first = await bootAfter(device, 0);
      const shell = await guestShell(device.console, first.next);
      assert.match((await shell.run('mokutil --sb-state')).output, /^SecureBoot enabled/m);
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
    },
  );

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
});
