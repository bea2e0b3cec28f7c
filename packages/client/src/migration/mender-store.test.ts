import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { deviceStore } from '../provides-store/device-store.ts';
import { linuxFiles } from '../system/linux-files.ts';

const golden = join(import.meta.dirname, '../../golden/mender-store');

/** A device on which Mender's client has run. */
async function device(t: TestContext, name: string) {
  const datastore = await mkdtemp(join(tmpdir(), 'mender-store-'));
  t.after(() => rm(datastore, { recursive: true }));
  const path = join(datastore, 'mender-store');
  const menderWas = async (what: string) =>
    writeFile(path, gunzipSync(await readFile(join(golden, `${what}.mdb.gz`))));
  await menderWas(name);
  const logged: string[] = [];
  return {
    datastore,
    path,
    logged,
    /** Mender has run once more, and this is what it left. */
    menderRuns: menderWas,
    store: deviceStore(linuxFiles(), datastore, (level, message) => logged.push(`${level} ${message}`)),
  };
}

describe("a device that ran Mender's client", () => {
  test('goes on with its name, its provides and its deployment; the database stays as it is', async (t) => {
    const { store, path, datastore } = await device(t, 'deployment-64-bit');
    await copyFile(path, join(datastore, 'before'));
    const records = await store.read();
    assert.equal(records['artifact-name'], 'release-1');
    assert.equal(records['artifact-group'], 'stable');
    assert.deepEqual(records['artifact-provides'], { 'rootfs-image.version': '1' });
    assert.equal(records.state?.UpdateInfo.ID, 'deployment-1');

    await store.update({ 'artifact-name': 'release-2', state: undefined });
    const after = await store.read();
    assert.equal(after['artifact-name'], 'release-2');
    assert.equal(after.state, undefined, 'what is ours is not taken over again');
    assert.deepEqual(after['artifact-provides'], { 'rootfs-image.version': '1' });
    assert.deepEqual(await readFile(path), await readFile(join(datastore, 'before')));
  });

  test('of generation 3 goes on with the root file system its daemon has installed', async (t) => {
    const { store } = await device(t, 'mender-3.4-deployment');
    const { state } = await store.read();
    assert.equal(state?.Name, 'reboot');
    assert.equal(state.UpdateInfo.Outcome, 'noneFailed');
    assert.equal(state.UpdateInfo.SupportsRollback, 'rollback-supported');
    const [payload, ...more] = state.UpdateInfo.Artifact.Payloads;
    assert.equal(payload?.PayloadType, 'rootfs-image');
    assert.equal(payload.RebootRequested, 'reboot-type-automatic');
    assert.equal(payload.artifact_provides?.['rootfs-image.version'], 'demo-3');
    assert.deepEqual(more, []);
  });

  test("is Mender's again when an update to this client was rolled back and Mender has run since", async (t) => {
    const { store, menderRuns } = await device(t, 'deployment-64-bit');
    await store.update({ 'artifact-name': 'of a root file system that is gone' });
    await menderRuns('mender-3.4-standalone');
    const records = await store.read();
    assert.equal(records['artifact-name'], undefined);
    assert.equal(records.state, undefined);
    assert.equal(records['standalone-state']?.ArtifactName, 'u1');
  });

  test('with a damaged database says so, starts anew, and leaves the file alone', async (t) => {
    const { store, path, logged } = await device(t, 'deployment-64-bit');
    const damaged = (await readFile(path)).subarray(0, 5000);
    await writeFile(path, damaged);
    assert.deepEqual(await store.read(), { 'artifact-provides': {} });
    assert.match(
      logged.join('\n'),
      /^error Mender's database .*mender-store cannot be taken over: it ends before/,
    );
    assert.deepEqual(await readFile(path), damaged);
  });

  test('keeps what it has of its own when the database is damaged later', async (t) => {
    const { store, path } = await device(t, 'deployment-64-bit');
    await store.update({ 'artifact-name': 'release-2' });
    await writeFile(path, 'damaged');
    assert.equal((await store.read())['artifact-name'], 'release-2');
  });
});
