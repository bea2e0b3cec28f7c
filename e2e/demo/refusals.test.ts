import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFile, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeArtifact, partitionPath, readDeviceState } from '@tandem/demo';
import { group, openSite, type Site } from './site.ts';

/** Artifacts no device may install: each refused with one clear error, both partitions as they were, and the server told. */

/** What is said of a changed bit: where in the compressed data it falls decides which check sees it first. */
const damage = /checksum|is damaged|ends too early/;

let site: Site;
let untouched: string[];

const partitionSums = async (): Promise<string[]> =>
  Promise.all(
    [2, 3].map(async (partition) =>
      createHash('sha256')
        .update(await readFile(partitionPath(site.device, partition)))
        .digest('hex'),
    ),
  );

before(async () => {
  site = await openSite({ versions: [2] });
  untouched = await partitionSums();
});
after(() => site.close());

async function deployAndFail(name: string, says: RegExp): Promise<void> {
  const { devices } = await site.fleet.deployToGroup(name, name, group, { timeoutMs: 60_000 });
  assert.equal(devices[0]?.status, 'failure');
  assert.match(devices[0].log ?? '', says);
  assert.equal((await readDeviceState(site.device, site.programs)).bootPartition, 2);
  assert.equal(await site.fleet.reportedArtifact('device'), 'demo-1');
}

test('an artifact nobody signed is refused before anything of it is used', async () => {
  const output = join(site.workshop.directory, 'unsigned.mender');
  await site.fleet.upload(
    await makeArtifact(site.workshop, 2, { name: 'unsigned', output, signingKey: false }),
  );
  await deployAndFail('unsigned', /sign/i);
  assert.deepEqual(await partitionSums(), untouched);
});

test('an artifact signed with a stranger’s key is refused', async () => {
  const stranger = join(site.workshop.directory, 'stranger.pem');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  await writeFile(stranger, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const output = join(site.workshop.directory, 'stranger.mender');
  await site.fleet.upload(
    await makeArtifact(site.workshop, 2, { name: 'stranger', output, signingKey: stranger }),
  );
  await deployAndFail('stranger', /signature/i);
  assert.deepEqual(await partitionSums(), untouched);
});

test('an artifact altered on the server’s disk is found out by the device', async () => {
  const output = join(site.workshop.directory, 'altered.mender');
  await site.fleet.upload(await makeArtifact(site.workshop, 2, { name: 'altered', output }));
  const { size } = await stat(output);
  const stored = await filesOfSize(site.place.dataDirectory, size);
  const newest = stored.at(-1);
  assert.ok(newest !== undefined, 'the artifact is on the disk');
  const bytes = await readFile(newest);
  const position = bytes.length >> 1;
  bytes[position] = (bytes[position] ?? 0) ^ 1;
  await writeFile(newest, bytes);
  await deployAndFail('altered', damage);
  assert.equal((await partitionSums())[0], untouched[0], 'the active partition');
});

test('an artifact for other hardware never reaches the device', async () => {
  const output = join(site.workshop.directory, 'other.mender');
  await site.fleet.upload(
    await makeArtifact(site.workshop, 2, { name: 'other', output, deviceType: 'other-board' }),
  );
  const { devices } = await site.fleet.deployToGroup('other', 'other', group, { timeoutMs: 60_000 });
  assert.equal(devices[0]?.status, 'noartifact');
});

test('a truncated or altered artifact is refused at the upload, in one sentence, and leaves nothing behind', async () => {
  const good = await makeArtifact(site.workshop, 2, {
    name: 'torn',
    output: join(site.workshop.directory, 'torn.mender'),
  });
  const { size } = await stat(good);
  const before = await totalBytes(site.place.dataDirectory);

  const truncated = join(site.workshop.directory, 'truncated.mender');
  await writeFile(truncated, await readFile(good));
  await truncate(truncated, size - 5000);
  await assert.rejects(site.fleet.upload(truncated), (error: Error) =>
    /400|bad request|trunc|end|EOF/i.test(error.message),
  );

  const altered = join(site.workshop.directory, 'altered-before.mender');
  const bytes = await readFile(good);
  bytes[size >> 1] = (bytes[size >> 1] ?? 0) ^ 1;
  await writeFile(altered, bytes);
  await assert.rejects(site.fleet.upload(altered), (error: Error) => {
    assert.match(error.message, /refused with 400: reading artifact error: data\/0000\.tar\.gz: /);
    assert.match(error.message, damage);
    return true;
  });

  assert.ok((await totalBytes(site.place.dataDirectory)) - before < size >> 1, 'no part of either was kept');
});

async function filesBelow(directory: string): Promise<{ path: string; size: number; changed: number }[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return { path, size, changed: mtimeMs };
    }),
  );
}

async function filesOfSize(directory: string, size: number): Promise<string[]> {
  const files = (await filesBelow(directory)).filter((file) => file.size === size);
  return files.toSorted((a, b) => a.changed - b.changed).map(({ path }) => path);
}

async function totalBytes(directory: string): Promise<number> {
  return (await filesBelow(directory)).reduce((sum, { size }) => sum + size, 0);
}
