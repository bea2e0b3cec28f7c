import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { fileLock, grubEnvironment } from '@tandem/boot-environment';
import { parseBoard } from '../board.ts';
import type { BootContext } from '../bootloader.ts';
import type { ImageFile } from '../image-file.ts';
import { partitionsOf } from '../partitions.ts';
import { rootTree } from '../root-tree.ts';
import { programRunner, type RunProgram } from '../run-program.ts';
import { grubEfi } from './grub-efi.ts';

const scratch = await mkdtemp(join(tmpdir(), 'grub-efi-'));
after(() => rm(scratch, { recursive: true }));
let made = 0;
let root: string;
let workDirectory: string;
beforeEach(async () => {
  made += 1;
  root = join(scratch, String(made), 'root');
  workDirectory = join(scratch, String(made), 'work');
  await mkdir(join(root, 'boot'), { recursive: true });
  await mkdir(workDirectory);
});

const inRoot = async (path: string, text = 'x'): Promise<void> => {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
};

const run: RunProgram = async (program, args, options) => {
  // GRUB's own tools need not be here.
  if (program === 'grub-mkimage') {
    await writeFile(args[args.indexOf('--output') + 1] ?? '', 'GRUB');
    return '';
  }
  return programRunner(process.env, new AbortController().signal)(program, args, options);
};

function context(settings: Record<string, unknown> = {}, kernelArguments = 'console=ttyS0'): BootContext {
  const board = parseBoard(
    { name: 'test', deviceType: 'test', architecture: 'amd64', bootloader: 'none', ...settings },
    'test',
  );
  return {
    board,
    partitions: partitionsOf(board),
    root: rootTree(root),
    kernelArguments,
    workDirectory,
    run,
    sourceDate: 0,
    signal: new AbortController().signal,
  };
}

async function put(files: readonly ImageFile[], directory: string): Promise<void> {
  for (const file of files) {
    const path = join(directory, file.path);
    await mkdir(dirname(path), { recursive: true });
    if ('text' in file) await writeFile(path, file.text);
    if ('copyOf' in file) await writeFile(path, await readFile(file.copyOf));
    if ('mode' in file && file.mode !== undefined) await chmod(path, file.mode);
  }
}

describe('the boot partition of GRUB', () => {
  test('has GRUB where firmware looks, and an environment the client reads', async () => {
    const files = await grubEfi({}).bootFiles(context());
    const at = join(scratch, String(made), 'boot');
    await put(files, at);
    assert.equal(await readFile(join(at, 'EFI/BOOT/BOOTX64.EFI'), 'utf8'), 'GRUB');
    const environment = grubEnvironment(join(at, 'grub-mender-grubenv'), fileLock(join(at, 'lock')));
    assert.deepEqual(Object.fromEntries(await environment.read()), {
      mender_boot_part: '2',
      upgrade_available: '0',
      bootcount: '0',
    });
  });

  test('names the two root file systems as the board does', async () => {
    const board = { partitionTable: 'mbr', storageDevice: '/dev/mmcblk0p' };
    const files = await grubEfi({}).bootFiles(context(board));
    const configuration = files.find(({ path }) => path === '/EFI/BOOT/grub.cfg');
    assert.ok(configuration !== undefined && 'text' in configuration);
    assert.match(
      configuration.text,
      /set scheme="msdos"\nset part_a="2"\nset root_a="\/dev\/mmcblk0p2"\nset part_b="3"\nset root_b="\/dev\/mmcblk0p3"\n/,
    );
  });

  test('takes the signed programs out of the root file system for Secure Boot', async () => {
    await inRoot('/usr/lib/shim/shimx64.efi.signed', 'shim');
    await inRoot('/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed', 'signed GRUB');
    const bootloader = grubEfi({ secureBoot: true });
    assert.deepEqual(await bootloader.problems(context()), []);
    const at = join(scratch, String(made), 'boot');
    await put(await bootloader.bootFiles(context()), at);
    assert.equal(await readFile(join(at, 'EFI/BOOT/BOOTX64.EFI'), 'utf8'), 'shim');
    assert.equal(await readFile(join(at, 'EFI/BOOT/grubx64.efi'), 'utf8'), 'signed GRUB');
    assert.match(await readFile(join(at, 'EFI/debian/grub.cfg'), 'utf8'), /^start$/m);
  });
});

describe('the kernel GRUB is told to start', () => {
  const bringKernel = async (version: string): Promise<void> => {
    await inRoot(`/boot/vmlinuz-${version}`);
    await inRoot(`/boot/initrd.img-${version}`);
  };
  /** What is written into the root file system for GRUB, when an image is made. */
  const selected = async (kernelArguments?: string): Promise<string | undefined> => {
    const files = await grubEfi({}).rootFiles(context({}, kernelArguments));
    const found = files.find(({ path }) => path === '/boot/tandem-kernel.cfg');
    return found !== undefined && 'copyOf' in found ? await readFile(found.copyOf, 'utf8') : undefined;
  };

  test('is the newest, with its own initrd and the arguments of the board', async () => {
    await bringKernel('6.1.0-9-amd64');
    await bringKernel('6.1.0-10-amd64');
    assert.equal(
      await selected('console=ttyS0 quiet'),
      "set kernel='/boot/vmlinuz-6.1.0-10-amd64'\nset initrd='/boot/initrd.img-6.1.0-10-amd64'\n" +
        "set kernel_arguments='console=ttyS0 quiet '\n",
    );
  });

  test('is not one that is still being installed', async () => {
    await bringKernel('6.1.0-9-amd64');
    await inRoot('/etc/initramfs-tools/initramfs.conf');
    await inRoot('/boot/vmlinuz-6.1.0-10-amd64');
    assert.match((await selected()) ?? '', /vmlinuz-6\.1\.0-9-amd64'\n.*initrd\.img-6\.1\.0-9-amd64'/);
  });

  test('needs no initrd where none are made', async () => {
    await inRoot('/boot/vmlinuz-6.1.0-10-amd64');
    assert.match((await selected()) ?? '', /vmlinuz-6\.1\.0-10-amd64'\nset initrd=''\n/);
  });

  test('is found by GRUB itself where kernels have no versions in their names', async () => {
    await inRoot('/boot/bzImage');
    assert.equal(await selected(), undefined);
  });

  test('is selected anew by the packages of kernels and the maker of initrds', async () => {
    await bringKernel('6.1.0-9-amd64');
    const files = await grubEfi({}).rootFiles(context());
    for (const directory of [
      '/etc/kernel/postinst.d',
      '/etc/kernel/postrm.d',
      '/etc/initramfs/post-update.d',
    ]) {
      const hook = files.find(({ path }) => path === `${directory}/zz-tandem-boot`);
      assert.ok(hook !== undefined && 'linkTo' in hook, directory);
      assert.ok(files.some(({ path }) => path === hook.linkTo));
    }
  });
});

describe('what keeps GRUB from starting a device is told before anything is written', () => {
  const cases: [
    string,
    RegExp,
    (
      problems: (settings?: Record<string, unknown>) => Promise<readonly string[]>,
    ) => Promise<readonly string[]>,
  ][] = [
    [
      'a processor without GRUB for UEFI',
      /not known for riscv64/,
      (problems) => problems({ architecture: 'riscv64' }),
    ],
    ['no boot partition', /boot\.sizeMiB/, (problems) => problems({ 'boot.sizeMiB': 0 })],
    [
      'a package that would install another GRUB',
      /package grub-efi-amd64 would install another GRUB/,
      async (problems) => {
        await inRoot('/var/lib/dpkg/info/grub-efi-amd64.postinst');
        return problems();
      },
    ],
  ];
  for (const [name, expected, found] of cases) {
    test(name, async () => {
      assert.match((await found((settings) => grubEfi({}).problems(context(settings)))).join('\n'), expected);
    });
  }

  test('Secure Boot without the signed programs', async () => {
    const found = await grubEfi({ secureBoot: true }).problems(context());
    assert.equal(found.length, 2);
    assert.match(found.join('\n'), /install shim-signed and grub-efi-amd64-signed/);
  });

  test('settings that are none', () => {
    assert.throws(() => grubEfi({ secureboot: true }), { code: 'badBoard', message: /secureBoot/ });
  });
});
