import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  createGrubEnvironment,
  createUBootTwoCopies,
  fileLock,
  grubEnvironment,
  uBootTwoCopies,
  type CopyPair,
} from '@tandem/boot-environment';

/** Our GRUB environment and our two plain environments of U-Boot against the real tools, over the same files. */
const tools = {
  '/usr/bin/grub-editenv': 'grub-common',
  '/usr/bin/fw_printenv': 'libubootenv-tool',
  '/usr/bin/flock': 'util-linux',
  '/usr/bin/sha256sum': 'coreutils',
} as const;
for (const [path, from] of Object.entries(tools)) {
  assert.ok(
    existsSync(path),
    `${path} is missing: install it with "apt-get install --no-install-recommends ${from}"`,
  );
}

const root = await mkdtemp(join(tmpdir(), 'boot-environment-kinds-'));
after(() => rm(root, { recursive: true }));

const before = { mender_boot_part: '2', upgrade_available: '0', bootcount: '0' };
const flip = { mender_boot_part: '3', upgrade_available: '1' };

const lines = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

const editenv = (file: string, ...words: readonly string[]): string =>
  execFileSync('/usr/bin/grub-editenv', [file, ...words], { encoding: 'utf8' });

describe('the real tools of GRUB', () => {
  let made = 0;
  const fresh = async () => {
    made += 1;
    const directory = join(root, `grub-${made}`);
    await createGrubEnvironment(directory, before);
    return { directory, ours: grubEnvironment(directory, fileLock(join(directory, 'lock'))) };
  };
  const copies = (directory: string) => [1, 2].map((number) => join(directory, `mender_grubenv${number}`));

  test('read what we write, in both copies, and find the checksums right', async () => {
    const { directory, ours } = await fresh();
    await ours.write(flip);
    for (const copy of copies(directory)) {
      assert.deepEqual(lines(editenv(join(copy, 'env'), 'list')), { ...before, ...flip });
      assert.deepEqual(lines(editenv(join(copy, 'lock'), 'list')), { editing: '0' });
      execFileSync('/usr/bin/sha256sum', ['--check', '--strict', 'lock.sha256sum'], { cwd: copy });
    }
  });

  test('write what we read, value by value, also what must be escaped', async () => {
    const { directory, ours } = await fresh();
    for (const copy of copies(directory)) editenv(join(copy, 'env'), 'set', 'path=a\\b', 'words=one two=3');
    editenv(join(directory, 'mender_grubenv1/env'), 'unset', 'bootcount');
    const { bootcount: _, ...rest } = before;
    assert.deepEqual(Object.fromEntries(await ours.read()), { ...rest, path: 'a\\b', words: 'one two=3' });
  });

  test('make the same bytes', async () => {
    const { directory } = await fresh();
    const theirs = join(root, 'theirs');
    editenv(theirs, 'create');
    editenv(theirs, 'set', 'editing=0');
    assert.deepEqual(await readFile(join(directory, 'mender_grubenv1/lock')), await readFile(theirs));
    editenv(theirs, 'create');
    editenv(theirs, 'set', ...Object.entries(before).map(([name, value]) => `${name}=${value}`));
    assert.deepEqual(await readFile(join(directory, 'mender_grubenv2/env')), await readFile(theirs));
  });

  test('leave a copy locked when they are cut off, and we go on with the other', async () => {
    const { directory, ours } = await fresh();
    editenv(join(directory, 'mender_grubenv2/lock'), 'set', 'editing=1');
    editenv(join(directory, 'mender_grubenv2/env'), 'set', 'mender_boot_part=3');
    assert.equal((await ours.read()).get('mender_boot_part'), '2');
    editenv(join(directory, 'mender_grubenv1/lock'), 'set', 'editing=1');
    editenv(join(directory, 'mender_grubenv1/env'), 'set', 'mender_boot_part=9');
    assert.equal((await ours.read()).get('mender_boot_part'), '2');
    for (const copy of copies(directory)) {
      assert.equal(lines(editenv(join(copy, 'env'), 'list'))['mender_boot_part'], '2');
      execFileSync('/usr/bin/sha256sum', ['--check', '--strict', 'lock.sha256sum'], { cwd: copy });
    }
  });

  test('and we keep each other out by the same lock', async () => {
    const { directory } = await fresh();
    const lock = join(directory, 'lock');
    const tryLock = () => execFileSync('/usr/bin/flock', ['--nonblock', lock, 'true']);
    const release = await fileLock(lock)();
    assert.throws(tryLock);
    await release();
    tryLock();
  });
});

describe('the real tools of U-Boot', () => {
  test('read each of two plain copies, and we read what they write', async () => {
    const [first, second] = ['one', 'two'].map((name) => join(root, name));
    assert.ok(first !== undefined && second !== undefined);
    const sizeBytes = 0x2000;
    const pair: CopyPair = [
      { path: first, offsetBytes: 0, sizeBytes },
      { path: second, offsetBytes: 0, sizeBytes },
    ];
    await createUBootTwoCopies(pair, before);
    await uBootTwoCopies(pair).write(flip);
    for (const { path } of pair) {
      const config = `${path}.config`;
      await writeFile(config, `${path} 0x0 0x2000\n`);
      const printed = execFileSync('/usr/bin/fw_printenv', ['-c', config], { encoding: 'utf8' });
      assert.deepEqual(lines(printed), { ...before, ...flip });
      execFileSync('/usr/bin/fw_setenv', ['-c', config, 'bootcount', '1']);
    }
    assert.deepEqual(Object.fromEntries(await uBootTwoCopies(pair).read()), {
      ...before,
      ...flip,
      bootcount: '1',
    });
  });
});
