import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { ownProgram } from '@tandem/demo';
import { readLmdb } from '../../packages/client/src/migration/read-lmdb.ts';
import { makeModuleArtifact, singleFile } from './module-artifact.ts';
import { makeStockDevice } from './stock-device.ts';

for (const program of ['/usr/bin/mdb_load', '/usr/bin/mdb_dump'])
  assert.ok(existsSync(program), `${program} is missing: install it with "apt-get install lmdb-utils"`);

const root = await mkdtemp(join(tmpdir(), 'migration-store-'));
after(() => rm(root, { recursive: true }));

/** What LMDB's own program says is in the database. */
function dumped(path: string): ReadonlyMap<string, string> {
  const lines = execFileSync('/usr/bin/mdb_dump', ['-n', path], { encoding: 'latin1' }).split('\n');
  const data = lines
    .slice(lines.indexOf('HEADER=END') + 1, lines.indexOf('DATA=END'))
    .map((line) => line.slice(1));
  return new Map(
    Array.from({ length: data.length / 2 }, (_none, index) => [
      Buffer.from(data[2 * index] ?? '', 'hex').toString(),
      data[2 * index + 1] ?? '',
    ]),
  );
}

const read = async (path: string): Promise<ReadonlyMap<string, string>> =>
  new Map(
    [...readLmdb(await readFile(path))].map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
  );

test('any database LMDB writes is read as LMDB reads it, whatever was written before', async () => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '-'), minLength: 1, maxLength: 200 });
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: 1000, max: 20_000 }).map((size) => new Uint8Array(size).fill(size % 251)),
  );
  const entries = fc.uniqueArray(fc.tuple(key, value), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 60,
  });
  const escaped = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').replaceAll(/../g, '\\$&');
  let made = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(entries, { minLength: 1, maxLength: 3 }), async (rounds) => {
      made += 1;
      const path = join(root, `random-${made}`);
      // Each round is a transaction of its own over what the one before left.
      for (const round of rounds) {
        const text = round
          .map(([name, content]) => `${escaped(Buffer.from(name))}\n${escaped(content)}\n`)
          .join('');
        execFileSync('/usr/bin/mdb_load', ['-n', '-T', path], { input: text });
      }
      assert.deepEqual(await read(path), dumped(path));
    }),
    { numRuns: 40 },
  );
});

describe('an update by hand that Mender 3.4 installed', () => {
  async function installedByMender(name: string) {
    const directory = join(root, name);
    await mkdir(directory);
    const device = await makeStockDevice({ directory, serverUrl: 'https://localhost:1' });
    const artifact = await makeModuleArtifact(directory, {
      name: 'by-hand-1',
      module: 'single-file',
      files: singleFile('greeting', 'new', device.files),
    });
    await device.run('install', artifact);
    const state = join(directory, 'state');
    const store = join(state, 'mender-store');
    await copyFile(store, join(directory, 'store-of-mender'));
    return {
      file: join(device.files, 'greeting'),
      storeIsAsItWas: async () => {
        assert.deepEqual(await readFile(store), await readFile(join(directory, 'store-of-mender')));
        assert.deepEqual(await read(store), dumped(store));
      },
      ours: (...words: readonly string[]) => {
        const { status, stdout } = spawnSync(ownProgram('mender-update'), words, {
          encoding: 'utf8',
          env: {
            ...process.env,
            MENDER_CONF_DIR: join(directory, 'configuration'),
            MENDER_DATA_DIR: '/usr/share/mender',
            MENDER_DATASTORE_DIR: state,
          },
        });
        return { status, stdout };
      },
    };
  }

  test('is committed by our client, which then provides what it brought', async () => {
    const device = await installedByMender('commit');
    assert.deepEqual(device.ours('commit'), { status: 0, stdout: 'Committed.\n' });
    assert.deepEqual(device.ours('show-provides'), {
      status: 0,
      stdout: 'artifact_name=by-hand-1\nrootfs-image.single-file.version=by-hand-1\n',
    });
    assert.equal(await readFile(device.file, 'utf8'), 'new');
    assert.deepEqual(device.ours('commit'), { status: 2, stdout: 'No update in progress.\n' });
    await device.storeIsAsItWas();
  });

  test('is rolled back by our client, with what the module of then has kept', async () => {
    const device = await installedByMender('rollback');
    assert.deepEqual(device.ours('rollback'), { status: 0, stdout: 'Rolled back.\n' });
    assert.deepEqual(device.ours('show-artifact'), { status: 0, stdout: 'factory-1\n' });
    await device.storeIsAsItWas();
  });
});
