import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { moduleImage, writeArtifactFile } from '@tandem/artifact';
import { buildBundle } from '../../build-bundle.ts';

const directory = await mkdtemp(join(tmpdir(), 'standard-input-'));
after(() => rm(directory, { recursive: true }));
const program = join(directory, 'mender-update');
const artifact = join(directory, 'version-2.mender');
const content = randomBytes(300_000);

before(async () => {
  await buildBundle(program);
  await symlink(program, join(directory, 'mender'));
  await mkdir(join(directory, 'share/modules/v3'), { recursive: true });
  // What is streamed is stored by the client, and copied when it is installed.
  const module = `#!/bin/sh
case "$1" in
  SupportsRollback) echo Yes ;;
  ArtifactInstall) cp "$2/files/content" "$MENDER_DATASTORE_DIR/installed" ;;
esac
`;
  await writeFile(join(directory, 'share/modules/v3/copy'), module, { mode: 0o755 });
  await writeFile(join(directory, 'content'), content);
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      depends: { deviceTypes: ['virtual'] },
      payload: moduleImage({
        artifactName: 'version-2',
        type: 'copy',
        files: [{ path: join(directory, 'content') }],
      }),
    },
    artifact,
    { compression: 'gzip' },
  );
});

/** A device of its own for one command, which reads from a pipe. */
async function start(name: 'mender' | 'mender-update', ...words: readonly string[]) {
  const store = await mkdtemp(join(directory, 'store-'));
  await writeFile(join(store, 'device_type'), 'device_type=virtual\n');
  const child = spawn(process.execPath, [join(directory, name), ...words], {
    env: {
      PATH: process.env['PATH'],
      MENDER_CONF_DIR: join(directory, 'none'),
      MENDER_DATA_DIR: join(directory, 'share'),
      MENDER_DATASTORE_DIR: store,
    },
    stdio: 'pipe',
  });
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.on('data', (text: Buffer) => (said += text.toString()));
  // A client that refuses before it has read all closes the pipe.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) }) as Promise<
    [number | null, NodeJS.Signals | null]
  >;
  return { child, store, ended, said: () => said };
}

describe('an artifact that comes by the standard input', () => {
  for (const words of [
    ['mender-update', '-'],
    ['mender-update', '/dev/stdin'],
    ['mender', '-'],
  ] as const) {
    test(`is installed: ${words.join(' install ')}`, async () => {
      const { child, store, ended, said } = await start(words[0], 'install', words[1]);
      child.stdin.end(await readFile(artifact));
      assert.deepEqual(await ended, [0, null], said());
      assert.match(said(), /Installed, but not committed/);
      assert.deepEqual(await readFile(join(store, 'installed')), content);
    });
  }

  test('and breaks off is a failure, with nothing installed', async () => {
    const { child, store, ended, said } = await start('mender-update', 'install', '-');
    const whole = await readFile(artifact);
    child.stdin.end(whole.subarray(0, whole.length - 5000));
    assert.deepEqual(await ended, [1, null], said());
    assert.match(said(), /Streaming failed\.\nSystem not modified\./);
    await assert.rejects(readFile(join(store, 'installed')), { code: 'ENOENT' });
  });

  test('and stands still does not keep a client that is told to end', async () => {
    const { child, ended, said } = await start('mender-update', 'install', '-');
    child.stdin.write((await readFile(artifact)).subarray(0, 100_000));
    while (!said().includes('Installing artifact...')) await once(child.stdout, 'data');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [1, null], said());
  });
});
