import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { PayloadFile, PayloadHeader } from '@tandem/artifact';
import { createUBootEnvironment, uBootEnvironment, type BootEnvironment } from '@tandem/boot-environment';
import type { PayloadInstaller } from '../deployment/payload-installer.ts';
import { linuxSystem } from '../system/linux-system.ts';
import type { Files } from '../system/system.ts';
import { rawPartition } from './raw-partition.ts';

const directory = await mkdtemp(join(tmpdir(), 'raw-partition-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;
const system = linuxSystem({ log: () => undefined, environment: process.env });

const oldKernel = Buffer.alloc(60_000, 'the kernel of the factory ');
const newKernel = Buffer.alloc(50_000, 'a new kernel ');
const header = { type: 'raw-partition' } as PayloadHeader;
const settled = {
  mender_boot_part: '2',
  upgrade_available: '0',
  bootcount: '0',
  bootlimit: '1',
  kernel_part: '5',
};

/** A board with root file systems 2 and 3, kernels 5 and 6 chosen by `kernel_part`, and device trees 7 and 8 that go with the root. */
async function board(
  options: {
    readonly variables?: Readonly<Record<string, string>>;
    readonly running?: 2 | 3;
    readonly metaData?: string;
    readonly pairs?: unknown;
  } = {},
) {
  const home = await mkdtemp(join(directory, 'board-'));
  const at = (...parts: string[]) => join(home, ...parts);
  const partition = (number: number) => at(`mmcblk0p${number}`);
  for (const number of [2, 3, 5, 6, 7, 8]) await writeFile(partition(number), oldKernel);
  await mkdir(at('tree/header'), { recursive: true });
  await writeFile(at('tree/header/meta-data'), options.metaData ?? '{"pair":"kernel"}');
  const pairs = options.pairs ?? {
    kernel: { A: partition(5), B: partition(6), variable: 'kernel_part' },
    'device-tree': { A: partition(7), B: partition(8) },
  };
  await writeFile(at('raw-partitions.json'), typeof pairs === 'string' ? pairs : JSON.stringify(pairs));
  await writeFile(at('cmdline'), `root=${partition(options.running ?? 2)}\n`);
  const copies = [
    { path: at('env1'), offsetBytes: 0, sizeBytes: 512 },
    { path: at('env2'), offsetBytes: 0, sizeBytes: 512 },
  ] as const;
  await createUBootEnvironment(copies, { ...settled, ...options.variables });
  const environment = uBootEnvironment(copies);
  const make = (
    files: Files = system.files,
    bootEnvironment: BootEnvironment = environment,
  ): PayloadInstaller =>
    rawPartition({
      system: { ...system, files },
      pairsFile: at('raw-partitions.json'),
      rootfsPartA: partition(2),
      rootfsPartB: partition(3),
      kernelCommandLine: at('cmdline'),
      bootEnvironment: () => Promise.resolve(bootEnvironment),
      workDirectory: at('tree'),
    });
  const variables = async () => Object.fromEntries(await environment.read());
  return {
    make,
    installer: make(),
    environment,
    variables,
    content: (number: number) => readFile(partition(number)),
    /** What docs/how-to/update-a-kernel-partition.md tells the bootloader to do; gives the kernel it starts. */
    boot: async () => {
      const now = await variables();
      if (now['upgrade_available'] === '1') {
        const bootcount = Number(now['bootcount']) + 1;
        const before = now['kernel_part_before'];
        if (bootcount <= Number(now['bootlimit'])) await environment.write({ bootcount: String(bootcount) });
        else if (before !== undefined)
          await environment.write({ kernel_part: before, kernel_part_before: '', upgrade_available: '0' });
      }
      return await readFile(partition(Number((await variables())['kernel_part'])));
    },
  };
}

async function* payload(...names: readonly string[]): AsyncGenerator<PayloadFile> {
  for (const name of names) {
    yield {
      payloadIndex: 0,
      name,
      sizeBytes: newKernel.length,
      contentOffset: 0,
      mode: 0o644,
      modifiedAt: 0,
      sha256: createHash('sha256').update(newKernel).digest('hex'),
      content: (async function* () {
        yield await Promise.resolve(newKernel);
      })(),
    };
  }
}

const startsWith = (content: Buffer, expected: Buffer) =>
  content.subarray(0, expected.length).equals(expected);

describe('a kernel in partitions of its own, chosen by a variable', () => {
  test('goes into the one not in use, is tried, and stays when committed; every step may be repeated', async () => {
    const { installer, content, variables, boot } = await board();
    for (let time = 0; time < 2; time++) await installer.download(header, payload('Image'), forever);
    assert.ok(startsWith(await content(6), newKernel));
    assert.ok((await content(5)).equals(oldKernel));
    assert.deepEqual(await variables(), settled, 'nothing is turned by the download');
    for (let time = 0; time < 2; time++) await installer.artifactInstall(forever);
    const onTrial = { ...settled, kernel_part: '6', kernel_part_before: '5', upgrade_available: '1' };
    assert.deepEqual(await variables(), onTrial, 'the root file system stays');
    assert.equal(await installer.needsArtifactReboot(forever), 'Automatic');
    assert.ok(startsWith(await boot(), newKernel));
    for (let time = 0; time < 2; time++) await installer.artifactVerifyReboot(forever);
    for (let time = 0; time < 2; time++) await installer.artifactCommit(forever);
    assert.deepEqual(await variables(), { ...settled, kernel_part: '6', bootcount: '1' });
    assert.ok(startsWith(await boot(), newKernel));
  });

  test('that does not start is taken back by the bootloader, and the device says so', async () => {
    const { installer, variables, boot } = await board();
    await installer.download(header, payload('Image'), forever);
    await installer.artifactInstall(forever);
    await boot();
    assert.ok((await boot()).equals(oldKernel));
    await assert.rejects(installer.artifactVerifyReboot(forever), {
      code: 'wrongState',
      message: /has gone back/,
    });
    await assert.rejects(installer.artifactCommit(forever), /Upgrade failed and was reverted/);
    for (let time = 0; time < 2; time++) await installer.artifactRollback(forever);
    await installer.artifactVerifyRollbackReboot(forever);
    assert.equal((await variables())['kernel_part'], '5');
  });

  test('that the bootloader has taken back is taken back once more, durably, before the update is forgotten', async () => {
    const { make, environment, variables, boot } = await board();
    const installer = make();
    await installer.download(header, payload('Image'), forever);
    await installer.artifactInstall(forever);
    await boot();
    await boot();
    const written: Readonly<Record<string, string>>[] = [];
    const noting = make(system.files, {
      read: () => environment.read(),
      write: async (changes) => {
        written.push(changes);
        await environment.write(changes);
      },
    });
    await noting.artifactRollback(forever);
    assert.deepEqual(
      written.map((changes) => changes['kernel_part']),
      ['5'],
    );
    assert.equal((await variables())['upgrade_available'], '0');
  });

  test('is rolled back when the new system is not well', async () => {
    const { installer, boot } = await board();
    assert.equal(await installer.supportsRollback(forever), true);
    await installer.download(header, payload('Image'), forever);
    await installer.artifactInstall(forever);
    await boot();
    for (let time = 0; time < 2; time++) await installer.artifactRollback(forever);
    assert.ok((await boot()).equals(oldKernel));
    await installer.artifactVerifyRollbackReboot(forever);
  });

  test('survives a power cut before any write: a whole kernel starts, and a rollback brings back the old one', async () => {
    for (const undoing of [false, true]) {
      let writes = 0;
      for (let cutAt = 1; ; cutAt++) {
        const { make, environment, boot, variables } = await board();
        writes = 0;
        const orCut = async <T>(write: () => Promise<T>): Promise<T> => {
          writes += 1;
          if (writes === cutAt) throw new Error('power cut');
          return await write();
        };
        const cut = make(
          { ...system.files, writeDurably: (...args) => orCut(() => system.files.writeDurably(...args)) },
          { read: () => environment.read(), write: (changes) => orCut(() => environment.write(changes)) },
        );
        const whole = make();
        await whole.download(header, payload('Image'), forever);
        if (undoing) await whole.artifactInstall(forever);
        const step = undoing ? cut.artifactRollback(forever) : cut.artifactInstall(forever);
        const wasCut = await step.then(
          () => false,
          () => true,
        );
        const started = await boot();
        assert.ok(started.equals(oldKernel) || startsWith(started, newKernel));
        await whole.artifactRollback(forever);
        assert.ok((await boot()).equals(oldKernel), `cut before write ${cutAt}`);
        assert.equal((await variables())['upgrade_available'], '0');
        if (!wasCut) break;
      }
      assert.ok(writes >= (undoing ? 1 : 2), `only ${writes} writes were seen`);
    }
  });
});

describe('a device tree in partitions of its own, which goes with the root file system', () => {
  for (const [running, written] of [
    [2, 8],
    [3, 7],
  ] as const) {
    test(`goes beside the root file system that is not running (running ${running})`, async () => {
      const { installer, content, variables } = await board({
        running,
        metaData: '{"pair":"device-tree"}',
        variables: { mender_boot_part: String(running) },
      });
      const before = await variables();
      await installer.download(header, payload('board.dtb'), forever);
      await installer.artifactInstall(forever);
      assert.equal(await installer.needsArtifactReboot(forever), 'No');
      await installer.artifactCommit(forever);
      assert.ok(startsWith(await content(written), newKernel));
      assert.ok((await content(written === 8 ? 7 : 8)).equals(oldKernel), 'the one in use is not touched');
      await installer.artifactRollback(forever);
      await installer.artifactVerifyRollbackReboot(forever);
      assert.deepEqual(await variables(), before);
    });
  }
});

describe('an artifact for a partition', () => {
  // prettier-ignore
  const refusals = [
    { name: 'that does not say which',           board: { metaData: '' },                                                       says: /meta-data \{"pair": "kernel"\}/ },
    { name: 'for a pair the device has not',     board: { metaData: '{"pair":"ramdisk"}' },                                     says: /'ramdisk', and .* knows kernel, device-tree/ },
    { name: 'during another trial',              board: { variables: { upgrade_available: '1' } },                              says: /neither committed nor rolled back/ },
    { name: 'when the variable names neither',   board: { variables: { kernel_part: '9' } },                                    says: /kernel_part is 9, and the pair is 5 and 6/ },
    { name: 'when the root is not the one said', board: { metaData: '{"pair":"device-tree"}', running: 3 },                     says: /Which partition goes with it/ },
    { name: 'where the pairs are no JSON',       board: { pairs: '{' },                                                         says: /raw-partitions\.json: it is no JSON/ },
    { name: 'where the pairs have faults',       board: { pairs: { kernel: { A: '', B: 5, variable: 'bootcount', C: 1 } } },    says: /kernel: A is no path; kernel: B is no path; kernel: variable .*; kernel: C is not known/ },
  ] as const;
  for (const { name, board: described, says } of refusals) {
    test(`${name} is refused, with nothing written`, async () => {
      const { installer, content, variables } = await board(described);
      const before = await variables();
      await assert.rejects(installer.download(header, payload('Image'), forever), says);
      for (const number of [5, 6, 7, 8]) assert.ok((await content(number)).equals(oldKernel));
      assert.deepEqual(await variables(), before);
    });
  }
  for (const [names, says] of [
    [[], /holds no file/],
    [['Image', 'Image2'], /exactly one file/],
  ] as const) {
    test(`of ${names.length} files is refused`, async () => {
      const { installer } = await board();
      await assert.rejects(installer.download(header, payload(...names), forever), says);
    });
  }
});
