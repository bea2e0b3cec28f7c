import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { linuxFiles } from '../system/linux-files.ts';
import { toManagedRecord, type Deployment } from '../deployment/saved-deployment.ts';
import { checkDepends } from './check-depends.ts';
import { deviceStore } from './device-store.ts';
import { updateLock } from './update-lock.ts';

const deployment: Deployment = {
  id: 'd-1',
  artifactName: 'v2',
  offeredDeviceTypes: ['board'],
  uri: 'https://server/artifact',
  payloads: [{ type: 'deb', provides: { a: 'b' }, clearsProvides: ['a.*'], reboot: 'Automatic' }],
  supportsRollback: true,
  outcome: 'noneFailed',
  storeCount: 3,
};

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'device-store-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe('the device store', () => {
  test('keeps what another instance wrote, and changes only what is named', async (t) => {
    const path = await directory(t);
    const open = () => deviceStore(linuxFiles(), path, assert.fail);
    await open().update({ 'artifact-name': 'v1', 'artifact-provides': { a: '1' } });
    await open().update({ state: toManagedRecord('update-install', deployment) });
    const records = await open().read();
    assert.equal(records['artifact-name'], 'v1');
    assert.equal(records.state?.Name, 'update-install');
    await open().update({ state: undefined });
    assert.deepEqual(await open().read(), { 'artifact-name': 'v1', 'artifact-provides': { a: '1' } });
  });

  // prettier-ignore
  const broken = {
    'cut in the middle': '{"artifact-name": "v1", "artifact-pro',
    'not an object':     '[]',
    'empty':             '',
    'of a wrong type':   '{"artifact-name": 7, "artifact-provides": {}}',
    'with half a record': '{"artifact-provides": {}, "state": {"Version": 2, "Name": "reboot"}}',
    'not UTF-8':         Buffer.from([0xff, 0xfe, 0x7b]),
  };
  for (const [name, content] of Object.entries(broken)) {
    test(`a file ${name} is kept aside, and the device goes on with an empty one`, async (t) => {
      const path = await directory(t);
      const logged: string[] = [];
      await writeFile(join(path, 'tandem-store.json'), content);
      const store = deviceStore(linuxFiles(), path, (level, message) => logged.push(`${level} ${message}`));
      assert.deepEqual(await store.read(), { 'artifact-provides': {} });
      assert.deepEqual(await readFile(join(path, 'tandem-store.json-broken')), Buffer.from(content));
      assert.match(logged.join(), /^error .*tandem-store\.json-broken/);
      await store.update({ 'artifact-name': 'v1' });
      assert.equal((await store.read())['artifact-name'], 'v1');
    });
  }
});

describe('the update lock', () => {
  test('removes what processes left that were killed while they took it, and nothing of those that live', async (t) => {
    const path = await directory(t);
    const leftover = (end: string) =>
      join(path, `tandem-update.lock.00000000-0000-4000-8000-00000000000${end}`);
    await writeFile(leftover('1'), 'another-boot 1 2');
    await writeFile(leftover('2'), '');
    await utimes(leftover('2'), 1, 1);
    await writeFile(leftover('3'), '');
    await writeFile(join(path, 'tandem-update.lock.of-someone'), 'another-boot 1 2');
    const release = await updateLock(path)();
    assert.ok(release !== 'heldByOther');
    await release();
    assert.deepEqual((await readdir(path)).toSorted(), [
      leftover('3').slice(path.length + 1),
      'tandem-update.lock.of-someone',
    ]);
  });

  test('is had by one at a time', async (t) => {
    const take = updateLock(await directory(t));
    const release = await take();
    assert.ok(release !== 'heldByOther');
    assert.equal(await take(), 'heldByOther');
    await release();
    const again = await take();
    assert.ok(again !== 'heldByOther');
  });

  test('of a process that is gone does not count, even when its number came again', async (t) => {
    const path = await directory(t);
    await writeFile(join(path, 'tandem-update.lock'), `another-boot ${process.pid} 12345`);
    const release = await updateLock(path)();
    assert.ok(release !== 'heldByOther');
  });

  test('is had by one of many that want a stale one at once', async (t) => {
    const path = await directory(t);
    for (let round = 0; round < 30; round++) {
      await writeFile(join(path, 'tandem-update.lock'), 'another-boot 1 1');
      const taken = await Promise.all(Array.from({ length: 8 }, () => updateLock(path)()));
      const had = taken.filter((release) => release !== 'heldByOther');
      assert.equal(had.length, 1);
      for (const release of had) await release();
    }
    assert.deepEqual(await readdir(path), [], 'nothing is left');
  });
});

describe('what an artifact depends on', () => {
  const provides = { artifact_name: 'v1', 'rootfs-image.checksum': 'aa' };
  test('is met when one of the values listed is provided', () => {
    checkDepends({ artifact_name: ['v0', 'v1'], 'rootfs-image.checksum': ['aa'] }, provides);
  });
  test('is refused in words when the value is another', () => {
    assert.throws(() => checkDepends({ artifact_name: ['v2', 'v3'] }, provides), {
      message: "Provides value 'v1' doesn't match any of the 'artifact_name' artifact depends (v2, v3)",
    });
  });
  test('is refused in words when nothing is provided', () => {
    assert.throws(() => checkDepends({ toString: ['x'] }, provides), {
      message: "Missing 'toString' in provides, required by artifact depends",
    });
  });
});
