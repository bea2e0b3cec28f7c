import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { openArtifactFile } from '@tandem/artifact';
import { buildDebianPackage, type DebianPackage } from '../../packaging/debian-package.ts';

/** The builder as it is called, with a real Debian: as root and as a user who is not. */

const execute = promisify(execFile);
/** Packages come over the network, and a build takes its time on a busy machine: limits are there to end what hangs. */
const patience = { timeout: 400_000 };
const project = join(import.meta.dirname, '../..');
const sourceDate = 1_700_000_000;
const mebibyte = 1 << 20;

let directory: string;
let tar: string;
let packagePath: string;

before(makeSources, patience);
async function makeSources(): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), 'tandem-e2e-image-'));
  // Whoever the builder is run as reads what lies here.
  await chmod(directory, 0o755);
  tar = await makeDebian();
  packagePath = await buildDebianPackage(smallPackage, {
    directory,
    modified: sourceDate,
    compression: 'none',
  });
  await writeFile(join(directory, 'board.json'), JSON.stringify(board));
}
after(() => execute('rm', ['-rf', '--one-file-system', directory]));

const board = {
  name: 'test',
  deviceType: 'test',
  architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
  bootloader: 'none',
  alignmentMiB: 1,
  boot: { sizeMiB: 8 },
  rootfs: { overheadPercent: 20 },
  data: { sizeMiB: 16 },
};

/** It has a script, so that it is seen to be installed and not copied. */
const smallPackage: DebianPackage = {
  control: {
    package: 'small',
    version: '1.2.3',
    architecture: 'all',
    maintainer: 'A Person <person@example.com>',
    section: 'misc',
    priority: 'optional',
    depends: [],
    synopsis: 'something small',
    description: ['It is installed.'],
  },
  files: [{ path: '/usr/bin/small', text: '#!/bin/sh\n', mode: 0o755 }],
  conffiles: [],
  scripts: {
    postinst:
      '#!/bin/sh\nset -e\necho "configured as $(id -u)" > /var/lib/small\nchown www-data /var/lib/small > /dev/null\n',
  },
  copyright: 'ours\n',
};

/** The least Debian there is, with the head of a kernel: nothing here is started. */
async function makeDebian(): Promise<string> {
  const path = join(directory, 'debian.tar');
  const release = await readFile('/etc/os-release', 'utf8');
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? 'stable';
  await execute('mmdebstrap', [
    '--variant=essential',
    '--aptopt=Acquire::Languages "none"',
    '--dpkgopt=force-unsafe-io',
    ...['doc', 'locale', 'man'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    suite,
    path,
  ]);
  const more = join(directory, 'kernel');
  await mkdir(join(more, 'boot'), { recursive: true });
  const kernel = Buffer.alloc(4096);
  kernel.write('HdrS', 0x202, 'latin1');
  kernel.writeUInt16LE(1, 0x236);
  if (board.architecture === 'arm64') kernel.fill(0).write('ARM\x64', 56, 'latin1');
  await writeFile(join(more, 'boot/vmlinuz-1'), kernel);
  await execute('tar', [
    '--append',
    '-f',
    path,
    '-C',
    more,
    '--owner=0',
    '--group=0',
    '--mtime=@0',
    './boot/vmlinuz-1',
  ]);
  return path;
}

interface Built {
  readonly image: string;
  readonly artifact: string;
  readonly root: string;
}

const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

async function build(
  name: string,
  source: readonly string[],
  start: readonly string[] = [process.execPath, join(project, 'packages/image/src/main.ts')],
): Promise<Built> {
  const output = join(directory, name);
  await mkdir(output, { recursive: true });
  await chmod(output, 0o777);
  const [program = '', ...args] = [
    ...start,
    'build',
    '--board',
    join(directory, 'board.json'),
    '--artifact-name',
    'v1',
    '--output-directory',
    output,
    '--server-url',
    'https://server.example',
    '--root-image',
    '--quiet',
    '--work-directory',
    directory,
    ...source,
  ];
  await execute(program, args, {
    env: { ...process.env, PATH: path, SOURCE_DATE_EPOCH: String(sourceDate) },
  });
  const of = (extension: string) => join(output, `v1-test.${extension}`);
  return { image: of('img'), artifact: of('mender'), root: of('ext4') };
}

const debugfs = async (image: string, request: string): Promise<string> =>
  (await execute('debugfs', ['-R', request, image], { env: { PATH: path } })).stdout;

async function partitionsOf(image: string): Promise<{ start: number; size: number; name: string }[]> {
  const { stdout } = await execute('sfdisk', ['--json', image], { env: { PATH: path } });
  const { partitiontable } = JSON.parse(stdout) as {
    partitiontable: { partitions: { start: number; size: number; name: string }[] };
  };
  return partitiontable.partitions;
}

async function sha256(file: string, start = 0, length = Infinity): Promise<string> {
  await using handle = await open(file);
  const hash = createHash('sha256');
  for await (const piece of handle.createReadStream({ start, end: start + length - 1, autoClose: false }))
    hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Someone with subordinate ids, and a copy of the builder they may read, wherever this one lies. */
async function unprivileged(): Promise<string[]> {
  if (process.getuid?.() !== 0) return [process.execPath, join(project, 'packages/image/src/main.ts')];
  const user = (await readFile('/etc/subuid', 'utf8')).split(':')[0];
  assert.ok(
    user !== undefined && user !== '',
    'a user with subordinate ids is needed: useradd --create-home builder',
  );
  const copy = join(directory, 'project');
  for (const name of ['image', 'artifact', 'boot-environment']) {
    await cp(join(project, 'packages', name), join(copy, 'packages', name), { recursive: true });
    await mkdir(join(copy, 'node_modules/@tandem'), { recursive: true });
    await symlink(join('../../packages', name), join(copy, 'node_modules/@tandem', name));
  }
  const node = join(copy, 'node');
  await copyFile(process.execPath, node);
  await chmod(node, 0o755);
  await execute('chmod', ['-R', 'a+rX', copy]);
  await chmod(directory, 0o777);
  return ['runuser', '-u', user, '--', node, join(copy, 'packages/image/src/main.ts')];
}

describe('an image from a Debian', () => {
  let first: Built;
  before(async () => {
    first = await build('first', ['--root', tar, '--package', packagePath]);
  }, patience);

  test('has a table without faults and file systems without faults', patience, async () => {
    const partitions = await partitionsOf(first.image);
    assert.deepEqual(
      partitions.map(({ name }) => name),
      ['BOOT', 'rootfs-a', 'rootfs-b', 'data'],
    );
    const { stdout } = await execute('sfdisk', ['--verify', first.image], { env: { PATH: path } });
    assert.match(stdout, /No errors detected/);
    for (const index of [1, 3])
      await execute('e2fsck', ['-fn', `${first.image}?offset=${(partitions[index]?.start ?? 0) * 512}`], {
        env: { PATH: path },
      });
    const boot = join(directory, 'boot.vfat');
    const start = partitions[0]?.start ?? 0;
    await execute('dd', [
      `if=${first.image}`,
      `of=${boot}`,
      'bs=512',
      `skip=${start}`,
      `count=${partitions[0]?.size ?? 0}`,
    ]);
    await execute('fsck.vfat', ['-n', boot], { env: { PATH: path } });
  });

  test('has the package installed by dpkg, its script run as root, and owners kept', patience, async () => {
    const status = await debugfs(first.root, 'cat /var/lib/dpkg/status');
    assert.match(status, /Package: small\nStatus: install ok installed/);
    assert.equal(await debugfs(first.root, 'cat /var/lib/small'), 'configured as 0\n');
    assert.match(await debugfs(first.root, 'stat /var/lib/small'), /User: +33 +Group: +0 /);
    assert.match(
      await debugfs(first.root, 'stat /usr/sbin/unix_chkpwd'),
      /Mode: +0?2755 [^]*\nUser: +0 +Group: +42 /,
    );
  });

  test('has the links, mounts and configuration of a device, and no identity', patience, async () => {
    assert.match(await debugfs(first.root, 'stat /var/lib/mender'), /Fast link dest: "\/data\/mender"/);
    assert.match(
      await debugfs(first.root, 'cat /etc/fstab'),
      /^\/dev\/disk\/by-partuuid\/\S+\t\/data\text4/m,
    );
    assert.match(await debugfs(first.root, 'cat /etc/mender/mender.conf'), /https:\/\/server.example/);
    assert.equal(await debugfs(first.root, 'cat /etc/machine-id'), '');
    const data = `${first.image}?offset=${((await partitionsOf(first.image))[3]?.start ?? 0) * 512}`;
    assert.equal(await debugfs(data, 'cat /mender/device_type'), 'device_type=test\n');
    assert.match(
      await debugfs(data, 'cat /mender/mender.conf'),
      /"RootfsPartB": "\/dev\/disk\/by-partuuid\//,
    );
  });

  test('is what its artifact installs, and its bootstrap artifact says so', patience, async () => {
    const root = (await partitionsOf(first.image))[1];
    assert.equal(
      await sha256(first.image, (root?.start ?? 0) * 512, (root?.size ?? 0) * 512),
      await sha256(first.root),
    );
    for (const file of [first.artifact, first.artifact.replace('.mender', '.bootstrap.mender')]) {
      const { artifact } = await openArtifactFile(file);
      assert.equal(artifact.payloads[0]?.provides?.['rootfs-image.checksum'], await sha256(first.root));
    }
  });

  test('is the same, byte by byte, when it is made again by a user who is not root', patience, async () => {
    const second = await build('second', ['--root', tar, '--package', packagePath], await unprivileged());
    assert.equal(await sha256(second.image), await sha256(first.image));
    assert.equal(await sha256(second.artifact), await sha256(first.artifact));
  });

  test('can be made from the disk image, and from its ext4 alone', patience, async () => {
    const disk = await build('from-disk', ['--disk-image', first.image]);
    const ext4 = await build('from-ext4', ['--root', first.root]);
    assert.equal(await sha256(disk.root), await sha256(ext4.root));
    assert.match(await debugfs(disk.root, 'stat /var/lib/small'), /User: +33 /);
  });

  test('leaves nothing behind when it fails, and says what dpkg said', patience, async () => {
    const broken = await buildDebianPackage(
      { ...smallPackage, scripts: { postinst: '#!/bin/sh\necho no room for this >&2\nexit 3\n' } },
      { directory: join(directory, 'broken'), modified: sourceDate, compression: 'none' },
    );
    await assert.rejects(
      build('refused', ['--root', tar, '--package', broken]),
      /the packages cannot be installed: [^]*no room for this/,
    );
    assert.deepEqual(await readdir(join(directory, 'refused')), []);
    assert.deepEqual(
      (await readdir(directory)).filter((name) => name.startsWith('tandem-image-')),
      [],
    );
  });

  test('is too small for what is in it: told, and nothing written', patience, async () => {
    await assert.rejects(
      build('small', ['--root', tar, '--set', 'storageMiB=100']),
      /the image is too small/,
    );
    assert.deepEqual(await readdir(join(directory, 'small')), []);
  });

  test('has holes where there is nothing', patience, async () => {
    await using file = await open(first.image);
    const { blocks, size } = await file.stat();
    assert.ok(
      blocks * 512 < size * 0.8,
      `${Math.round((blocks * 512) / mebibyte)} of ${size / mebibyte} MiB on disk`,
    );
  });
});

describe('hooks', () => {
  test('are run at their points, and what they change is in the image', patience, async () => {
    const hook = join(directory, 'hook');
    await writeFile(hook, '#!/bin/sh\nset -e\necho "$1 $TANDEM_DEVICE_TYPE" >> "$TANDEM_ROOT/etc/hooks"\n', {
      mode: 0o755,
    });
    const points = ['afterUnpack', 'afterPackages', 'afterFiles'];
    const { root } = await build('hooked', [
      '--root',
      tar,
      ...points.flatMap((point) => ['--hook', `${point}=${hook}`]),
    ]);
    assert.equal(await debugfs(root, 'cat /etc/hooks'), points.map((point) => `${point} test\n`).join(''));
    await rm(hook);
  });
});
