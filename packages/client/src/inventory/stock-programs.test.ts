import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseKeyValueLines } from '../identity/key-value-lines.ts';
import { linuxProcesses } from '../system/linux-processes.ts';

const stock = join(import.meta.dirname, '../../support/inventory');
const prefix = 'mender-inventory-';
const forever = new AbortController().signal;

/** What each program tells (client contract 8); a key with a star stands for one of each interface. */
// prettier-ignore
const expectedKeys: Readonly<Record<string, readonly string[]>> = {
  'bootloader-integration': ['mender_bootloader_integration'],
  // Tells the server itself, and has tests of its own.
  'mender-configure':       [],
  hostinfo:                 ['cpu_model', 'hostname', 'kernel', 'mem_total_kB'],
  network:                  ['ipv4_*', 'ipv6_*', 'mac_*', 'network_interfaces'],
  os:                       ['os'],
  'rootfs-type':            ['rootfs_type'],
  'update-modules':         ['update_modules'],
};

describe('the inventory programs that come with the client', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'stock-programs-'));
    const modules = join(root, 'modules/v3');
    await mkdir(modules, { recursive: true });
    for (const [name, mode] of [
      ['deb', 0o755],
      ['docker', 0o755],
      ['notes.txt', 0o644],
    ] as const) {
      await writeFile(join(modules, name), '');
      await chmod(join(modules, name), mode);
    }
    for (const name of ['eth0', 'docker0', 'veth1', 'br-2', 'lo', 'bridge3/bridge']) {
      const path = join(root, 'net', name);
      await mkdir(path, { recursive: true });
      await writeFile(join(root, 'net', name.split('/')[0] ?? '', 'address'), `address of ${name}\n`);
    }
  });
  after(() => rm(root, { recursive: true }));

  const run = async (name: string, environment: Readonly<Record<string, string>> = {}) => {
    const all = {
      PATH: process.env['PATH'],
      MENDER_DATA_DIR: root,
      SYS_CLASS_NET: join(root, 'net'),
      ...environment,
    };
    const { exitCode, stdout, stderr } = await linuxProcesses(all).run(join(stock, `${prefix}${name}`), [], {
      timeoutMs: 10_000,
      signal: forever,
    });
    assert.equal(exitCode, 0, stderr);
    assert.equal(stderr, '');
    return parseKeyValueLines(stdout) ?? assert.fail(`lines that are not key=value: ${stdout}`);
  };

  test('are these, and tell what they are to tell', async () => {
    const names = (await readdir(stock)).map((file) => file.slice(prefix.length));
    assert.deepEqual(names.sort(), Object.keys(expectedKeys).sort());
    for (const [name, keys] of Object.entries(expectedKeys)) {
      if (keys.length === 0) continue;
      const patterns = keys.map((key) => new RegExp(`^${key.replace('*', '.+')}$`));
      const told = [...(await run(name)).keys()];
      assert.ok(told.length > 0, name);
      for (const key of told)
        assert.ok(
          patterns.some((pattern) => pattern.test(key)),
          `${name} tells ${key}`,
        );
    }
  });

  test('list what is a module, and no more', async () => {
    assert.deepEqual([...(await run('update-modules'))], [['update_modules', ['deb', 'docker']]]);
  });

  test('leave out interfaces that containers come and go with, unless they are asked for', async () => {
    const interfaces = async (environment?: Readonly<Record<string, string>>) =>
      (await run('network', environment)).get('network_interfaces');
    assert.deepEqual(await interfaces(), ['eth0']);
    const all = ['br-2', 'bridge3', 'docker0', 'eth0', 'veth1'];
    assert.deepEqual((await interfaces({ INCLUDE_DOCKER_INTERFACES: '1' }))?.sort(), all);
  });

  for (const [made, machine, expected] of [
    ['efi/EFI/BOOT/mender_grubenv1', 'x86_64', 'uefi_grub'],
    ['efi/EFI/BOOT/mender_grubenv1', 'aarch64', 'uboot_uefi_grub'],
    ['efi/EFI/BOOT/mender_grubenv1', 'riscv64', 'unknown_uefi_grub'],
    ['grub/mender_grubenv1', 'i686', 'bios_grub'],
    ['grub/mender_grubenv1', 'aarch64', 'unknown_grub'],
    ['fw_env.config', 'armv7l', 'uboot'],
    ['nothing', 'armv7l', 'unknown'],
  ] as const) {
    test(`tell of the bootloader: ${made} on ${machine} is ${expected}`, async () => {
      const boot = await mkdtemp(join(root, 'boot-'));
      await mkdir(join(boot, made), { recursive: true });
      const told = await run('bootloader-integration', {
        BOOT_DIRECTORY: boot,
        MACHINE: machine,
        TANDEM_FW_ENV_CONFIG: join(boot, 'fw_env.config'),
      });
      assert.deepEqual([...told], [['mender_bootloader_integration', [expected]]]);
    });
  }
});
