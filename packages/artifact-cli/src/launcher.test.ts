import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
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
