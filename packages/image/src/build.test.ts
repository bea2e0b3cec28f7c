import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { runCommand } from './run-command.ts';
import { armKernel, elf, makeTree, smallRoot, testWorld, type Tree } from './testing/small-root.ts';

const run = promisify(execFile);
const board = {
  name: 'test',
  deviceType: 'test',
  architecture: 'amd64',
  bootloader: 'none',
  partitionTable: 'mbr',
};

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-image-test-'));
  await makeTree({ 'board.json': JSON.stringify(board) }, directory);
});
after(() => rm(directory, { recursive: true, force: true }));

/** A dry run, which needs none of the programs that write; nobody gets files of others here, so that any user may run this. */
async function plan(root: string, ...more: readonly string[]) {
  const work = join(directory, 'work');
  await mkdir(work, { recursive: true });
  const world = testWorld({ userId: 0, temporaryDirectory: work });
  const source = more.includes('--disk-image') ? [] : ['--root', root];
  const output = join(directory, 'out');
  const args = [
    '--board',
    join(directory, 'board.json'),
    '--artifact-name',
    'v1',
    '--output-directory',
    output,
  ];
  const status = await runCommand(['build', ...args, ...source, '--dry-run', ...more], world);
  assert.deepEqual(await readdir(work), [], 'what the work needed is removed');
  await assert.rejects(readdir(output), { code: 'ENOENT' });
  return { status, ...world.said() };
}

const treeOf = async (more: Tree, without: readonly string[] = []): Promise<string> => {
  const kept = Object.entries(smallRoot).filter(([name]) => !without.includes(name));
  return makeTree({ ...Object.fromEntries(kept), ...more }, await mkdtemp(join(directory, 'root-')));
};

describe('an image is planned', () => {
  test('from a directory, a tar archive and an ext4 image, with the same sizes', async () => {
    const root = await treeOf({});
    const tar = join(directory, 'root.tar.gz');
    await run('tar', ['-C', root, '-czf', tar, '.']);
    const ext4 = join(directory, 'root.ext4');
    await writeFile(ext4, '');
    await truncate(ext4, 16 << 20);
    await run('mkfs.ext4', ['-q', '-F', '-d', root, ext4], {
      env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' },
    });
    const plans: string[] = [];
    for (const [kind, path] of Object.entries({ directory: root, tar, ext4 })) {
      const { status, out, err } = await plan(path);
      assert.equal(status, 0, err);
      assert.match(out, new RegExp(`from the ${kind} `));
      plans.push(out.slice(out.indexOf('MBR of')));
    }
    assert.match(plans[0] ?? '', /rootA +rootfs-a +72 MiB/);
    assert.equal(plans[1], plans[0]);
    assert.equal(plans[2], plans[0]);
  });
});

describe('an image is refused before anything is written, and the message says what to do', () => {
  const trees: Readonly<Record<string, readonly [Tree, readonly string[], RegExp]>> = {
    'a directory that is no root file system': [
      {},
      ['bin/sh'],
      /is no root file system: it has no \/bin\/sh/,
    ],
    'a root without a kernel': [
      {},
      ['boot/vmlinuz-6.1.0'],
      /has no kernel: \/boot holds nothing. Install one .* linux-image-amd64/,
    ],
    'programs for another processor': [
      { 'bin/sh': elf(183) },
      [],
      /the programs of .* are for arm64, and the board test is amd64/,
    ],
    'a kernel for another processor': [
      { 'boot/vmlinuz-6.1.0': armKernel() },
      [],
      /the kernel \/boot\/vmlinuz-6.1.0 .* is for arm64/,
    ],
  };
  for (const [name, [more, without, message]] of Object.entries(trees))
    test(name, async () => {
      const { status, err } = await plan(await treeOf(more, without));
      assert.match(err, message);
      assert.equal(status, 1);
    });

  test('partitions too small for the content', async () => {
    const root = await treeOf({ 'opt/large': Buffer.alloc(30 << 20) });
    const { status, err } = await plan(root, '--set', 'rootfs.sizeMiB=24');
    assert.match(
      err,
      /the image is too small: each root partition has 24 MiB and its files need 40 MiB.*raise rootfs.sizeMiB/,
    );
    assert.equal(status, 1);
  });

  test('a data partition too small for what a hook puts there', async () => {
    const hook = join(directory, 'fill-data');
    await writeFile(hook, '#!/bin/sh\ntruncate -s 30M "$TANDEM_DATA/large"\n', { mode: 0o755 });
    const hooked = ['--hook', `beforeBoot=${hook}`, '--set', 'data.sizeMiB=24'];
    const { status, err } = await plan(await treeOf({}), ...hooked);
    assert.match(
      err,
      /the image is too small: the data partition has 24 MiB and its files need 3\d.*raise data.sizeMiB/,
    );
    assert.equal(status, 1);
  });

  test('a disk image without a partition table', async () => {
    const disk = join(directory, 'disk.img');
    await writeFile(disk, Buffer.alloc(1 << 20));
    const { status, err } = await plan('', '--disk-image', disk);
    assert.match(err, /cannot read the partitions of .*disk.img: it has neither GPT nor MBR/);
    assert.equal(status, 1);
  });

  test('a disk image without a root file system', async () => {
    const disk = join(directory, 'no-root.img');
    // An MBR with one partition of Linux, from sector 2048 on, in which there is nothing.
    const image = Buffer.alloc(2 << 20);
    image[446 + 4] = 0x83;
    image.writeUInt32LE(2048, 446 + 8);
    image.writeUInt32LE(1024, 446 + 12);
    image.writeUInt16LE(0xaa55, 510);
    await writeFile(disk, image);
    const { status, err } = await plan('', '--disk-image', disk);
    assert.match(err, /none of its 1 partitions is an ext4 with \/etc\/os-release/);
    assert.equal(status, 1);
  });

  test('a disk image that is compressed', async () => {
    const disk = join(directory, 'disk.img.xz');
    await writeFile(disk, Buffer.from('fd377a585a00000000', 'hex'));
    assert.match((await plan('', '--disk-image', disk)).err, /it is compressed; unpack it first \(unxz\)/);
  });

  const lines: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
    'a source that is not there': [
      ['--root', '/nowhere/at/all'],
      /cannot make an image from \/nowhere\/at\/all: it is not there/,
    ],
    'an option there is not': [['--wrong'], /Unknown option '--wrong'.*Try --help/],
    'two sources': [['--disk-image', 'x', '--root', 'y'], /give either --root or --disk-image/],
    'a key no board has': [
      ['--set', 'rootfs.size=3'],
      /--set rootfs.size=3: say KEY=VALUE, with a key of a board file/,
    ],
    'a value no key takes': [['--set', 'partitionTable=apm'], /partitionTable must be one of gpt, mbr/],
    'settings the bootloader does not know': [
      ['--set', 'bootloader=grub-efi', '--set', 'bootloaderSettings={"timeout":5}'],
      /bootloaderSettings of grub-efi/,
    ],
  };
  for (const [name, [more, message]] of Object.entries(lines))
    test(name, async () => {
      const { status, err } = await plan('/nowhere', ...more);
      assert.match(err, message);
      assert.notEqual(status, 0);
    });
});

describe('before devices get it, one is warned', () => {
  const warned = async (more: Tree, ...args: readonly string[]) =>
    (await plan(await treeOf(more), ...args)).err;

  test('that any artifact would be installed, when there is no verification key', async () => {
    assert.match(await warned({}), /No verification key \(--verify-key\)/);
  });

  const warnings: Readonly<Record<string, readonly [Tree, RegExp]>> = {
    'of name servers of another machine': [
      { 'etc/resolv.conf': 'nameserver 10.0.0.1\n' },
      /\/etc\/resolv.conf names the name servers/,
    ],
    'of host keys that are in the image, which are taken out': [
      { 'etc/ssh/ssh_host_rsa_key': 'x' },
      /^(?!.*host keys: every device)/s,
    ],
    'of tables of cron that would be lost': [
      { 'var/spool/cron/crontabs/root': '* * * * * x' },
      /\/var\/spool\/cron\/crontabs holds tables/,
    ],
    'of mounts the new storage does not have': [
      { 'etc/fstab': 'UUID=77-88 /srv ext4 defaults 0 2\n' },
      /mounts what the new storage may not have: UUID=77-88 \/srv/,
    ],
    'of logs of another machine': [
      { 'var/log/syslog': 'x' },
      /\/var\/log holds logs of another machine \(syslog\)/,
    ],
    'of a swap file in the root': [
      { 'etc/fstab': '/swapfile none swap sw 0 0\n', swapfile: 'x' },
      /The swap file \/swapfile/,
    ],
    'of accounts without a password': [
      { 'etc/shadow': 'root::1:0:9:7:::\ndaemon:*:1::::::\n' },
      /No password is asked for root\./,
    ],
    'of the key of a device': [
      { 'var/lib/mender/mender-agent.pem': 'x' },
      /holds the key of a device; it is left out/,
    ],
  };
  for (const [name, [more, message]] of Object.entries(warnings))
    test(name, async () => {
      assert.match(await warned(more), message);
    });

  test('of one machine id for all devices, when it is not kept on the data partition', async () => {
    assert.match(
      await warned({}, '--set', 'persist.machineId=false'),
      /\/etc\/machine-id is set: every device/,
    );
    assert.doesNotMatch(await warned({}), /machine-id/);
  });

  test('of a server that is asked without TLS', async () => {
    assert.match(
      await warned({}, '--server-url', 'http://server.example'),
      /without TLS \(http:\/\/server.example\)/,
    );
  });

  test('of a data partition that cannot grow', async () => {
    const err = (await plan(await treeOf({}, ['usr/sbin/sfdisk']))).err;
    assert.match(err, /data partition will not grow .* Add the packages fdisk and e2fsprogs/);
  });
});

test('help knows every option and the boards are listed', async () => {
  const world = testWorld();
  assert.equal(await runCommand(['--help'], world), 0);
  assert.match(
    world.said().out,
    /--disk-image FILE[^]*Points for hooks: afterUnpack[^]*persist\.sshHostKeys/,
  );
  const other = testWorld();
  assert.equal(await runCommand(['boards'], other), 0);
  assert.match(other.said().out, /^qemu-x86-64-grub /m);
});
