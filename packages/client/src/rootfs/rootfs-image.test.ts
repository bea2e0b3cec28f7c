import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { PayloadFile, PayloadHeader } from '@tandem/artifact';
import {
  createGrubEnvironment,
  createUBootEnvironment,
  createUBootTwoCopies,
  uBootEnvironment,
} from '@tandem/boot-environment';
import type { PayloadInstaller } from '../deployment/payload-installer.ts';
import { linuxSystem } from '../system/linux-system.ts';
import { bootEnvironmentOf, type BootEnvironmentChoice } from './bootloader-environment.ts';
import { findPartitions, partitionByNumber, runningPartition } from './partitions.ts';
import { rootfsImage } from './rootfs-image.ts';

const directory = await mkdtemp(join(tmpdir(), 'rootfs-image-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;
const system = linuxSystem({ log: () => undefined, environment: process.env });

const settled = { mender_boot_part: '2', mender_boot_part_hex: '2', upgrade_available: '0', bootcount: '0' };
const flipped = { mender_boot_part: '10', mender_boot_part_hex: 'a', upgrade_available: '1', bootcount: '0' };
const newImage = Buffer.alloc(150_000, 'new');

/** A device of two partitions, numbers 2 and 10, that runs from `running` and whose bootloader holds `variables`. */
async function device(variables: Record<string, string> = settled, running: 2 | 10 = 2) {
  const home = await mkdtemp(join(directory, 'device-'));
  const paths = { 2: join(home, 'sda2'), 10: join(home, 'sda10') };
  await Promise.all(Object.values(paths).map((path) => writeFile(path, Buffer.alloc(200_000, path))));
  const copies = [
    { path: join(home, 'env1'), offsetBytes: 0, sizeBytes: 512 },
    { path: join(home, 'env2'), offsetBytes: 0, sizeBytes: 512 },
  ] as const;
  await createUBootEnvironment(copies, variables);
  const environment = uBootEnvironment(copies);
  const kernelCommandLine = join(home, 'cmdline');
  const run = (part: 2 | 10) => writeFile(kernelCommandLine, `root=/dev/wrong quiet root=${paths[part]}\n`);
  await run(running);
  const workDirectory = join(home, 'tree');
  await mkdir(workDirectory);
  const installer = rootfsImage({
    system,
    rootfsPartA: paths[2],
    rootfsPartB: paths[10],
    kernelCommandLine,
    bootEnvironment: () => Promise.resolve(environment),
    workDirectory,
    stepTimeoutMs: 10_000,
  });
  const variablesNow = async () => Object.fromEntries(await environment.read());
  return { installer, environment, paths, run, variablesNow, home };
}

const header = { type: 'rootfs-image' } as PayloadHeader;
async function* payload(...names: string[]): AsyncGenerator<PayloadFile> {
  for (const name of names) {
    const content = (async function* () {
      yield await Promise.resolve(newImage);
    })();
    yield {
      payloadIndex: 0,
      name,
      sizeBytes: newImage.length,
      contentOffset: 0,
      mode: 0o644,
      modifiedAt: 0,
      sha256: createHash('sha256').update(newImage).digest('hex'),
      content,
    };
  }
}

type Step = (installer: PayloadInstaller) => Promise<void>;
// prettier-ignore
const steps = {
  download:                     (installer) => installer.download(header, payload('rootfs.ext4'), forever),
  artifactInstall:              (installer) => installer.artifactInstall(forever),
  artifactVerifyReboot:         (installer) => installer.artifactVerifyReboot(forever),
  artifactCommit:               (installer) => installer.artifactCommit(forever),
  artifactRollback:             (installer) => installer.artifactRollback(forever),
  artifactVerifyRollbackReboot: (installer) => installer.artifactVerifyRollbackReboot(forever),
  artifactFailure:              (installer) => installer.artifactFailure(forever),
  cleanup:                      (installer) => installer.cleanup(forever),
} as const satisfies Record<string, Step>;

/** Each step twice: a power cut right after it makes the client do it again. */
async function twice(installer: PayloadInstaller, ...names: (keyof typeof steps)[]) {
  for (const name of names) {
    await steps[name](installer);
    await steps[name](installer);
  }
}

describe('a root file system update', () => {
  test('goes into the partition that is not running, is tried, and stays when committed; every step may be repeated', async () => {
    const { installer, paths, run, variablesNow } = await device();
    const running = await readFile(paths[2]);
    await twice(installer, 'download');
    assert.ok((await readFile(paths[10])).subarray(0, newImage.length).equals(newImage));
    assert.deepEqual(await variablesNow(), settled, 'the flag is not touched by the download');
    await twice(installer, 'artifactInstall');
    assert.deepEqual(await variablesNow(), flipped);
    assert.equal(await installer.needsArtifactReboot(forever), 'Automatic');
    await run(10);
    await twice(installer, 'artifactVerifyReboot', 'artifactCommit', 'cleanup');
    assert.deepEqual(await variablesNow(), { ...flipped, upgrade_available: '0' });
    assert.ok((await readFile(paths[2])).equals(running), 'the old root file system is untouched');
  });

  test('that was committed is rolled back by its remembered origin when a later step fails', async () => {
    const { installer, run, variablesNow } = await device();
    await twice(installer, 'download', 'artifactInstall');
    await run(10);
    await twice(installer, 'artifactVerifyReboot', 'artifactCommit', 'artifactRollback');
    assert.equal((await variablesNow())['mender_boot_part'], '2');
    await run(2);
    await twice(installer, 'artifactVerifyRollbackReboot', 'artifactFailure', 'cleanup');
  });

  for (const running of [2, 10] as const) {
    test(`is rolled back before the bootloader has gone back, running from ${running}`, async () => {
      const { installer, run, variablesNow } = await device();
      assert.equal(await installer.supportsRollback(forever), true);
      await twice(installer, 'download', 'artifactInstall');
      await run(running);
      await twice(installer, 'artifactRollback');
      assert.deepEqual(await variablesNow(), { ...settled, upgrade_available: '0' });
    });
  }

  test('that the bootloader has reverted is neither verified nor committed, and its rollback changes nothing', async () => {
    const { installer, environment, variablesNow } = await device();
    await twice(installer, 'download', 'artifactInstall');
    await environment.write({ ...settled, bootcount: '2' });
    await assert.rejects(steps.artifactVerifyReboot(installer), { code: 'wrongState', message: /gone back/ });
    await assert.rejects(steps.artifactCommit(installer), {
      message: 'Upgrade failed and was reverted: refusing to commit!',
    });
    await twice(installer, 'artifactRollback', 'artifactVerifyRollbackReboot');
    assert.deepEqual(await variablesNow(), { ...settled, bootcount: '2' });
  });

  test('that the bootloader has reverted stays so when a power cut takes what the bootloader wrote', async () => {
    const { installer, environment, variablesNow, home } = await device();
    await twice(installer, 'download', 'artifactInstall');
    const copies = ['env1', 'env2'].map((name) => join(home, name));
    const onTrial = await Promise.all(copies.map((path) => readFile(path)));
    await environment.write(settled);
    await steps.artifactRollback(installer);
    for (const [index, path] of copies.entries()) {
      const kept = await readFile(path);
      await writeFile(path, onTrial[index] ?? '');
      assert.deepEqual(await variablesNow(), settled);
      await writeFile(path, kept);
    }
  });

  test('that failed before it was installed leaves the bootloader alone', async () => {
    const { installer, variablesNow } = await device();
    await twice(installer, 'download', 'artifactRollback', 'artifactVerifyRollbackReboot');
    assert.deepEqual(await variablesNow(), settled);
  });

  test('is not committed before the device has started from it', async () => {
    const { installer } = await device();
    await twice(installer, 'download', 'artifactInstall');
    await assert.rejects(steps.artifactVerifyReboot(installer), { code: 'badPartitions' });
    await assert.rejects(steps.artifactCommit(installer), { code: 'wrongState', message: /Reboot first/ });
  });

  test('is refused while an earlier one is on trial', async () => {
    const { installer } = await device(flipped, 10);
    await assert.rejects(steps.download(installer), {
      code: 'wrongState',
      message: /upgrade_available is 1/,
    });
  });

  test('is refused when the bootloader and the running system disagree, before a byte is written', async () => {
    const { installer, paths, variablesNow } = await device(settled, 10);
    const before = await Promise.all([readFile(paths[2]), readFile(paths[10])]);
    await assert.rejects(steps.download(installer), {
      code: 'badPartitions',
      message: /sda10, but .* partition 2/,
    });
    await assert.rejects(steps.artifactInstall(installer), { code: 'badPartitions' });
    const afterwards = await Promise.all([readFile(paths[2]), readFile(paths[10])]);
    assert.ok(before.every((bytes, index) => bytes.equals(afterwards[index] ?? Buffer.alloc(0))));
    assert.deepEqual(await variablesNow(), settled);
  });

  test('is refused when the bootloader never managed to save its environment', async () => {
    const { installer } = await device({ ...settled, mender_check_saveenv_canary: '1' });
    await assert.rejects(steps.download(installer), { code: 'badBootEnvironment', message: /canary/ });
  });

  test('is refused when both copies of the environment are damaged', async () => {
    const { installer, home } = await device();
    await writeFile(join(home, 'env1'), Buffer.alloc(512, 0xff));
    await writeFile(join(home, 'env2'), Buffer.alloc(512, 0xff));
    await assert.rejects(steps.download(installer), { code: 'bothCopiesInvalid' });
  });

  test('does not wait for a boot environment that never answers', async () => {
    const { home, paths } = await device();
    const installer = rootfsImage({
      system,
      rootfsPartA: paths[2],
      rootfsPartB: paths[10],
      kernelCommandLine: join(home, 'cmdline'),
      bootEnvironment: () => new Promise(() => undefined),
      workDirectory: home,
      stepTimeoutMs: 50,
    });
    for (const step of ['artifactInstall', 'artifactCommit', 'artifactRollback'] as const) {
      await assert.rejects(steps[step](installer), { code: 'timedOut', message: /more than 0.05 s/ });
    }
  });

  test('holds exactly one file', async () => {
    const { installer } = await device();
    await assert.rejects(installer.download(header, payload('a', 'b'), forever), {
      code: 'badImage',
      message: /one file/,
    });
    await assert.rejects(installer.download(header, payload(), forever), {
      code: 'badImage',
      message: /no file/,
    });
  });
});

describe('partitions', () => {
  test('are found through links, and numbered by the device they lead to', async () => {
    const { paths, home } = await device();
    await symlink(paths[2], join(home, 'by-partuuid-0001'));
    const pair = await findPartitions(join(home, 'by-partuuid-0001'), paths[10]);
    assert.deepEqual(
      pair.map(({ number, path }) => [number, path]),
      [
        [2, paths[2]],
        [10, paths[10]],
      ],
    );
    assert.equal(partitionByNumber(pair, '10').path, paths[10]);
    assert.throws(() => partitionByNumber(pair, undefined), { code: 'badPartitions', message: /\(none\)/ });
    assert.throws(() => partitionByNumber(pair, '1'), { code: 'badPartitions' });
  });

  test('that cannot be told apart with certainty are refused', async () => {
    const { paths, home } = await device();
    const nameless = join(home, 'rootfs');
    await writeFile(nameless, '');
    await mkdir(join(home, 'other'));
    await writeFile(join(home, 'other', 'sdb2'), '');
    for (const [a, b, message] of [
      ['', paths[2], /not both set/],
      [paths[2], paths[2], /numbers must differ/],
      [paths[2], join(home, 'other', 'sdb2'), /numbers must differ/],
      [nameless, paths[2], /no digits/],
      [join(home, 'sda3'), paths[2], /There is no .*sda3 \(RootfsPartA/],
      [paths[2], '/dev/null', /neither a block device, nor a UBI volume, nor a file/],
    ] as const) {
      await assert.rejects(findPartitions(a, b), { code: 'badPartitions', message });
    }
  });

  test('of which neither is said to run are refused', async () => {
    const { paths, home } = await device();
    const pair = await findPartitions(paths[2], paths[10]);
    for (const text of ['quiet', 'root=/dev/ram0', `quiet -- root=${paths[2]}`, 'root=PARTUUID=none', '']) {
      await writeFile(join(home, 'cmdline'), text);
      await assert.rejects(
        runningPartition(system.files, pair, join(home, 'cmdline')),
        { code: 'badPartitions' },
        text,
      );
    }
    await assert.rejects(runningPartition(system.files, pair, join(home, 'missing')), {
      code: 'badPartitions',
    });
  });
});

describe('the way to the boot environment', () => {
  /** Tools that keep `name=value` lines in a file, as the real ones do on the outside. */
  async function installTools(print: string, set: string, setScript = 'cat >> "$STORE"') {
    const home = await mkdtemp(join(directory, 'tools-'));
    const store = join(home, 'store');
    await writeFile(store, 'mender_boot_part=2\nbootcmd=a=b; c\n');
    const script = (name: string, text: string) =>
      writeFile(
        join(home, name),
        `#!/bin/sh\nSTORE=${store}\necho "$(basename "$0") $*" >> ${home}/calls\n${text}\n`,
        { mode: 0o755 },
      );
    await script(print, 'cat "$STORE"');
    await script(set, setScript);
    return { home, calls: () => readFile(join(home, 'calls'), 'utf8') };
  }
  const open = (
    kind: BootEnvironmentChoice['kind'],
    searchPath: string,
    fwEnvConfig = '/etc/fw_env.config',
    grub: Partial<BootEnvironmentChoice['places']> = {},
  ) =>
    bootEnvironmentOf(system, {
      kind,
      searchPath,
      places: {
        fwEnvConfig,
        grubEnvConfig: join(directory, 'no-grub.config'),
        grubDirectories: [],
        grubLock: join(directory, 'grub.lock'),
        ...grub,
      },
    })(forever);

  test("is the tools where they are installed, GRUB's before U-Boot's", async () => {
    const uboot = await installTools('fw_printenv', 'fw_setenv');
    const environment = await open('auto', `/nowhere:${uboot.home}`, '/other.config');
    await environment.write({ upgrade_available: '1' });
    assert.deepEqual(Object.fromEntries(await environment.read()), {
      mender_boot_part: '2',
      bootcmd: 'a=b; c',
      upgrade_available: '1',
    });
    assert.match(await uboot.calls(), /fw_setenv -c \/other\.config -s -\nfw_printenv -c \/other\.config\n/);
    const grub = await installTools('grub-mender-grubenv-print', 'grub-mender-grubenv-set');
    await (await open('fw-tools', `${uboot.home}:${grub.home}`)).read();
    assert.equal(await grub.calls(), 'grub-mender-grubenv-print \n');
  });

  test('does not believe tools that lose what they were given, or fail', async () => {
    const losing = await installTools('fw_printenv', 'fw_setenv', 'cat > /dev/null');
    await assert.rejects((await open('auto', losing.home)).write({ upgrade_available: '1' }), {
      code: 'badBootEnvironment',
      message: /did not store upgrade_available=1/,
    });
    const failing = await installTools('fw_printenv', 'fw_setenv', 'echo Cannot lock >&2; exit 2');
    await assert.rejects((await open('auto', failing.home)).write({ a: '1' }), {
      message: /exit code 2: Cannot lock/,
    });
  });

  test("is U-Boot's own format where there are no tools", async () => {
    const { home } = await device();
    const fwEnvConfig = join(home, 'fw_env.config');
    await writeFile(fwEnvConfig, `${home}/env1 0 512\n${home}/env2 0 0x200\n`);
    for (const kind of ['auto', 'u-boot'] as const) {
      assert.equal((await (await open(kind, '/nowhere', fwEnvConfig)).read()).get('mender_boot_part'), '2');
    }
  });

  test('is two plain copies of U-Boot where the copies are that', async () => {
    const { home } = await device();
    const fwEnvConfig = join(home, 'fw_env.config');
    await writeFile(fwEnvConfig, `${home}/env1 0 512\n${home}/env2 0 512\n`);
    const copies = [1, 2].map((number) => ({ path: `${home}/env${number}`, offsetBytes: 0, sizeBytes: 512 }));
    const [first, second] = copies;
    assert.ok(first !== undefined && second !== undefined);
    await createUBootTwoCopies([first, second], { mender_boot_part: '10' });
    for (const kind of ['auto', 'u-boot-two-copies'] as const) {
      const environment = await open(kind, '/nowhere', fwEnvConfig);
      await environment.write({ chosen: kind });
      assert.deepEqual(Object.fromEntries(await environment.read()), {
        mender_boot_part: '10',
        chosen: kind,
      });
      assert.deepEqual(await readFile(first.path), await readFile(second.path));
    }
    await assert.rejects((await open('u-boot', '/nowhere', fwEnvConfig)).read(), {
      code: 'bothCopiesInvalid',
    });
  });

  test("is GRUB's own where there is its directory, or where mender_grubenv.config says", async () => {
    const home = await mkdtemp(join(directory, 'grub-'));
    await createGrubEnvironment(join(home, 'usual'), { mender_boot_part: '2' });
    await createGrubEnvironment(join(home, 'named'), { mender_boot_part: '3' });
    const grubDirectories = [join(home, 'missing'), join(home, 'usual')];
    const grubEnvConfig = join(home, 'mender_grubenv.config');
    const missing = join(directory, 'missing.config');
    for (const kind of ['auto', 'grub'] as const) {
      const environment = await open(kind, '/nowhere', missing, { grubDirectories });
      await environment.write({ upgrade_available: '1' });
      assert.deepEqual(Object.fromEntries(await environment.read()), {
        mender_boot_part: '2',
        upgrade_available: '1',
      });
    }
    await writeFile(grubEnvConfig, `# where\nENV_DIR = ${home}/named\n`);
    const named = await open('grub', '/nowhere', missing, { grubDirectories, grubEnvConfig });
    assert.equal((await named.read()).get('mender_boot_part'), '3');
    await assert.rejects(open('grub', '/nowhere', missing), { message: /boot partition mounted/ });
  });

  test('is refused when there is none, or only a single copy', async () => {
    const missing = join(directory, 'missing.config');
    await assert.rejects(open('auto', '/nowhere', missing), {
      code: 'badBootEnvironment',
      message: /missing\.config/,
    });
    await assert.rejects(open('fw-tools', '/nowhere'), { code: 'badBootEnvironment' });
    const single = join(directory, 'single.config');
    await writeFile(single, '/dev/mtd1 0 0x4000\n');
    await assert.rejects(open('u-boot', '', single), { code: 'badBootEnvironment', message: /two copies/ });
  });

  test('can be the memory of the process, for trials', async () => {
    const environment = await open('in-memory', '');
    await environment.write({ mender_boot_part: '2' });
    assert.equal((await environment.read()).get('mender_boot_part'), '2');
  });
});
