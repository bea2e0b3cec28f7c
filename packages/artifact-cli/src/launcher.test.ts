import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { golden } from './test-data/golden.ts';

const directory = await mkdtemp(join(tmpdir(), 'launcher-'));
after(() => rm(directory, { recursive: true }));

const bin = fileURLToPath(new URL('../bin/', import.meta.url));
const good = golden('02-v3-rootfs-gzip-44.mender');

test('the program runs from any directory, through links, and hands on its status', async () => {
  for (const name of ['mender-artifact', 'tandem-artifact']) {
    const link = join(directory, name);
    await symlink(join(bin, `${name}.js`), link);
    const run = (...args: string[]) => spawnSync(link, args, { cwd: '/', encoding: 'utf8' });
    assert.match(run('read', good).stdout, /Name: release-1/);
    assert.equal(run('validate', '/nonexistent').status, 4);
    assert.match(run('--version').stdout, new RegExp(`^${name} version \\d`));
  }
});

test('whatever Node comes first in PATH, the program finds the one it needs', () => {
  const paths = (process.env['PATH'] ?? '').split(delimiter).filter((path) => !path.includes('node_modules'));
  const other = paths.map((path) => join(path, 'node')).find((path) => existsSync(path));
  // Where no other Node is installed there is nothing to be wrong with.
  const { status, stdout } = spawnSync(
    other ?? process.execPath,
    [join(bin, 'mender-artifact.js'), 'read', good],
    {
      encoding: 'utf8',
      env: { PATH: paths.join(delimiter) },
    },
  );
  assert.equal(status, 0);
  assert.match(stdout, /Name: release-1/);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`a program ended by ${signal} while it writes leaves nothing and dies of it`, async () => {
    const image = join(directory, 'image');
    writeFileSync(image, '');
    // So large that it is written for as long as it takes; all zeros, it takes no room.
    truncateSync(image, 2 ** 36);
    const place = join(directory, signal);
    await mkdir(place);
    const args = ['write', 'module-image', '-T', 'm', '-n', 'n', '-c', 'd', '-f', image];
    const writing = spawn(
      process.execPath,
      [join(bin, 'mender-artifact.js'), ...args, '-o', join(place, 'a.mender')],
      { stdio: 'ignore' },
    );
    const ended = once(writing, 'exit');
    while ((await readdir(place)).length === 0) {
      assert.equal(writing.exitCode, null);
      await wait(20);
    }
    writing.kill(signal);
    assert.deepEqual(await ended, [null, signal]);
    assert.deepEqual(await readdir(place), []);
  });
}

test('the program starts where it can keep nothing for its next start', () => {
  for (const environment of [{ HOME: '/nonexistent' }, { XDG_CACHE_HOME: '/proc' }, {}]) {
    const { status } = spawnSync(process.execPath, [join(bin, 'mender-artifact.js'), '--version'], {
      env: environment,
      timeout: 30_000,
    });
    assert.equal(status, 0, JSON.stringify(environment));
  }
});
