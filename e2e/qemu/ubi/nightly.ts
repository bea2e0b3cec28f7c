import assert from 'node:assert/strict';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { createUBootEnvironment } from '@tandem/boot-environment';
import { ownProgram, runProgram } from '@tandem/demo';
import { nodeRuntime } from '../../../packaging/node-runtime.ts';
import { bootAfter, limitMs, patience } from '../grub/device.ts';
import { guestShell, type GuestShell } from '../grub/guest-shell.ts';
import { clientPackages } from '../grub/site.ts';
import { startVirtualMachine, type VirtualMachine } from '../machine/virtual-machine.ts';
import { makeFlash, makeUbifs } from './flash-image.ts';
import { environmentDisk, makeUbiRoot, simulatedChip, volumes, type UbiRoot } from './ubi-root.ts';

const project = join(import.meta.dirname, '..', '..', '..');
const directory = await mkdtemp(join(tmpdir(), 'tandem-ubi-'));
const path = (name: string): string => join(directory, name);

let guest: UbiRoot;
let artifacts: Server;

before(async () => {
  const packages = await clientPackages(path('packages'), nodeRuntime(project));
  guest = await makeUbiRoot(join(tmpdir(), 'tandem-qemu-cache'), directory, packages);
  const images = {
    data: await makeUbifs(path('data'), 'data', path('data.ubifs')),
    rootfsa: await makeUbifs(guest.root, 'rootfsa', path('guest-1.ubifs')),
  };
  await makeFlash(directory, images);
  for (const name of ['guest-2', 'guest-3', 'guest-4']) {
    await writeFile(join(guest.root, 'etc/guest-release'), `${name}\n`);
    const image = await makeUbifs(guest.root, 'rootfsb', path(`${name}.ubifs`));
    const facts = ['--artifact-name', name, '--device-type', 'ubi-guest', '--compression', 'none'];
    const command = ['write', 'rootfs-image', ...facts, '--file', image, '--output-path'];
    await runProgram(ownProgram('mender-artifact'), [...command, path(`${name}.mender`)]);
  }
  const copy = (offsetBytes: number) => ({
    path: path('environment.img'),
    offsetBytes,
    sizeBytes: environmentDisk.copyBytes,
  });
  await writeFile(path('environment.img'), '');
  await truncate(path('environment.img'), 1 << 20);
  await createUBootEnvironment([copy(0), copy(environmentDisk.copyBytes)], {
    mender_boot_part: String(volumes.rootfsa),
    mender_boot_part_hex: volumes.rootfsa.toString(16),
    upgrade_available: '0',
    bootcount: '0',
  });
  artifacts = createServer((request, response) => {
    const file = path((request.url ?? '').slice(1));
    void stat(file).then(({ size }) => {
      response.writeHead(200, { 'content-length': size });
      createReadStream(file).pipe(response);
    });
  });
  await new Promise<void>((resolve) => artifacts.listen(0, '127.0.0.1', resolve));
}, patience);
after(async () => {
  artifacts.closeAllConnections();
  artifacts.close();
  await rm(directory, { recursive: true, force: true });
});

void describe('a device whose root file systems are UBI volumes', () => {
  let device: VirtualMachine;
  let shell: GuestShell;
  after(() => device.cutPower());

  /** On a busy machine each command of an emulated one may take its time. */
  const run = (command: string) => shell.run(command, limitMs);
  const switchOn = async (): Promise<void> => {
    const environment = `driver=raw,node-name=environment,file.driver=file,file.filename=${path('environment.img')}`;
    device = await startVirtualMachine({
      kind: 'x86-64',
      firmware: { kind: 'image', path: '/usr/share/seabios/bios-256k.bin' },
      kernel: {
        path: guest.kernel,
        initrd: guest.initrd,
        commandLine: 'console=ttyS0 quiet panic=1 no_timer_check',
      },
      disk: { path: path('flash.img'), format: 'raw' },
      memoryMiB: 1024,
      further: [
        '-blockdev',
        environment,
        '-device',
        `nvme,drive=environment,serial=${environmentDisk.serial}`,
      ],
    });
    const log = createWriteStream(join(process.env['TANDEM_QEMU_LOGS'] ?? directory, 'ubi.log'), {
      flags: 'a',
    });
    device.console.onLine(({ atMs, text }) => log.write(`${(atMs / 1000).toFixed(1)} ${text}\n`));
  };
  /** Waits for the next start, and for root at the serial line. */
  const started = async (after: number): Promise<string> => {
    const boot = await bootAfter(device, after);
    shell = await guestShell(device.console, boot.next);
    return boot.partition;
  };
  const install = (name: string) => {
    const { port } = artifacts.address() as AddressInfo;
    return run(`mender-update install http://10.0.2.2:${String(port)}/${name}.mender`);
  };
  const reboot = (): Promise<string> => {
    const before = device.console.position();
    device.console.send('reboot\r');
    return started(before);
  };
  const release = async (): Promise<string> => (await run('cat /etc/guest-release')).output;

  void test('starts from the first volume', patience, async () => {
    await switchOn();
    assert.equal(await started(0), String(volumes.rootfsa));
    assert.match(await release(), /^guest-1/m);
    assert.match((await run('grep " / " /proc/mounts')).output, /^ubi0_1 \/ ubifs ro/m);
  });

  void test('is updated into the second, commits, and stays with it', patience, async (t: TestContext) => {
    const began = device.upMs();
    const installed = await install('guest-2');
    assert.equal(installed.code, 0, installed.output);
    t.diagnostic(`installed in ${((device.upMs() - began) / 1000).toFixed(1)} s`);
    assert.equal(await reboot(), String(volumes.rootfsb));
    assert.match(await release(), /^guest-2/m);
    const committed = await run('mender-update commit');
    assert.equal(committed.code, 0, committed.output);
    assert.equal(await reboot(), String(volumes.rootfsb));
    assert.match((await run('mender-update show-artifact')).output, /^guest-2/m);
  });

  void test('goes back from an update that is not committed', patience, async () => {
    const installed = await install('guest-3');
    assert.equal(installed.code, 0, installed.output);
    assert.equal(await reboot(), String(volumes.rootfsa));
    assert.match(await release(), /^guest-3/m);
    assert.equal(await reboot(), String(volumes.rootfsb));
    assert.match(await release(), /^guest-2/m);
    const rolledBack = await run('mender-update rollback');
    assert.equal(rolledBack.code, 0, rolledBack.output);
    assert.match((await run('mender-update show-artifact')).output, /^guest-2/m);
  });

  void test('starts what ran before when its power goes while a volume is written', patience, async () => {
    // What is written to a disk in the place of flash is on it when it was flushed.
    await run('(while sleep 1; do sync; done) > /dev/null 2>&1 & true');
    const before = device.console.position();
    const { port } = artifacts.address() as AddressInfo;
    device.console.send(`mender-update install http://10.0.2.2:${String(port)}/guest-4.mender\r`);
    await device.console.waitFor(/guest-4\.ubifs: [2-6]0%/, { limitMs, after: before });
    await device.cutPower();
    await switchOn();
    assert.equal(await started(0), String(volumes.rootfsb));
    assert.match(await release(), /^guest-2/m);
    // Half an image never boots: the kernel knows that the update was not finished.
    assert.match((await run('cat /sys/class/ubi/ubi0_1/upd_marker')).output, /^1/m);
    await run('mender-update rollback');
    const installed = await install('guest-4');
    assert.equal(installed.code, 0, installed.output);
    assert.equal(await reboot(), String(volumes.rootfsa));
    assert.match(await release(), /^guest-4/m);
    const committed = await run('mender-update commit');
    assert.equal(committed.code, 0, committed.output);
  });

  void test('writes a volume of a chip with bad erase blocks', patience, async () => {
    const { bad, weak } = simulatedChip;
    const badBlocks = async (): Promise<number> =>
      Number(/^\d+/m.exec((await run('cat /sys/class/ubi/ubi1/bad_peb_count')).output)?.[0]);
    assert.match((await run('cat /proc/mtd')).output, /^mtd1: .*NAND simulator/m);
    const made = await run('ubiformat -y /dev/mtd1 && ubiattach -m 1 -d 1');
    assert.equal(made.code, 0, made.output);
    assert.ok((await badBlocks()) >= bad.length);
    const volume = await run(
      'ubimkvol /dev/ubi1 -N image -s 4MiB && head -c 4000000 /dev/urandom > /tmp/image',
    );
    assert.equal(volume.code, 0, volume.output);
    // Again and again, so that the weak ones are erased and go bad under it.
    for (let round = 1; round <= 6; round += 1) {
      const written = await run('mender-flash --input /tmp/image --output /dev/ubi1_0');
      assert.equal(written.code, 0, written.output);
      const same = await run('head -c 4000000 /dev/ubi1_0 | cmp - /tmp/image');
      assert.equal(same.code, 0, same.output);
    }
    assert.ok((await badBlocks()) > bad.length, `of ${String(weak.length)} weak blocks none went bad`);
  });
});
