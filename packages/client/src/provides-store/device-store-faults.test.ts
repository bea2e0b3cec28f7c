import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { linuxFiles, nodeFileOperations, type FileOperations } from '../system/linux-files.ts';
import { deviceStore } from './device-store.ts';

/*
 * The store on a file system that stops between any two of its operations, as for a device that is killed there, or fails in one of
 * them, as for a disk that is full or read-only. Operations are counted on a run that goes well.
 */
async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'store-faults-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const silent = () => undefined;
const killed = new Error('killed');
const before = { 'artifact-name': 'version-1', 'artifact-provides': { a: '1' } };
const change = { 'artifact-name': 'version-2', 'artifact-provides': { a: '2', b: '3' } };

/** A process that is killed closes its files; one that only stands still does not. */
const opened: { readonly close: () => Promise<void> }[] = [];
after(() => Promise.all(opened.map((file) => file.close().catch(() => undefined))));

/** The real operations, until number `at` of them, which `does` instead; and what was called. */
function stoppingAt(at: number, does: () => Promise<never>) {
  const called: string[] = [];
  const next = async (name: string): Promise<void> => {
    called.push(name);
    if (called.length === at) await does();
  };
  const operations: FileOperations = {
    ...nodeFileOperations,
    open: async (...args) => {
      await next('open');
      const file = await nodeFileOperations.open(...args);
      opened.push(file);
      return {
        chmod: async (mode) => (await next('chmod'), file.chmod(mode)),
        writeFile: async (content) => (await next('write'), file.writeFile(content)),
        sync: async () => (await next('sync'), file.sync()),
        close: async () => file.close(),
        stat: async () => file.stat(),
        read: async (...to) => file.read(...to),
      };
    },
    rename: async (from, to) => (await next('rename'), nodeFileOperations.rename(from, to)),
    rm: async (...args) => (await next('rm'), nodeFileOperations.rm(...args)),
    mkdir: async (...args) => (await next('mkdir'), nodeFileOperations.mkdir(...args)),
  };
  return { operations, called };
}

async function begun(path: string) {
  await deviceStore(linuxFiles(), path, silent).update(before);
}

async function operationsOfAnUpdate(t: TestContext): Promise<readonly string[]> {
  const path = await directory(t);
  await begun(path);
  const { operations, called } = stoppingAt(Infinity, () => Promise.reject(killed));
  await deviceStore(linuxFiles(operations), path, silent).update(change);
  return called;
}

describe('the device store', () => {
  test('killed between any two of its file operations is what it was or what it was to be', async (t) => {
    const all = await operationsOfAnUpdate(t);
    t.diagnostic(`operations of an update: ${all.join(', ')}`);
    assert.ok(all.includes('rename') && all.filter((name) => name === 'sync').length === 2);
    for (let at = 1; at <= all.length; at += 1) {
      const path = await directory(t);
      await begun(path);
      // The process goes no further: neither that operation nor any after it is done.
      const { operations } = stoppingAt(at, () => new Promise<never>(() => undefined));
      const update = deviceStore(linuxFiles(operations), path, silent).update(change);
      const settled = await Promise.race([update.then(() => 'done'), turns(200)]);
      assert.equal(settled, 'still under way', `stopped before operation ${at}, ${all[at - 1]}`);
      const found = await deviceStore(linuxFiles(), path, (level) => assert.notEqual(level, 'error')).read();
      const renamed = all.slice(0, at - 1).includes('rename');
      assert.deepEqual(
        found,
        { ...(renamed ? change : before) },
        `stopped before operation ${at}, ${all[at - 1]}`,
      );
      // What was left must not be in the way of the next.
      await deviceStore(linuxFiles(), path, silent).update({ 'artifact-name': 'version-3' });
      assert.equal((await deviceStore(linuxFiles(), path, silent).read())['artifact-name'], 'version-3');
    }
  });

  for (const code of ['ENOSPC', 'EROFS', 'EIO', 'EACCES']) {
    test(`that meets ${code} in any of them says so, and is what it was or what it was to be`, async (t) => {
      const all = await operationsOfAnUpdate(t);
      for (let at = 1; at <= all.length; at += 1) {
        const path = await directory(t);
        await begun(path);
        const { operations } = stoppingAt(at, () =>
          Promise.reject(Object.assign(new Error(`${code}: no`), { code })),
        );
        const told = await deviceStore(linuxFiles(operations), path, silent)
          .update(change)
          .then(() => 'done', String);
        const found = await deviceStore(linuxFiles(), path, silent).read();
        const renamed = all.slice(0, at - 1).includes('rename');
        // Only looking for another client's database may fail without harm.
        if (told === 'done')
          assert.ok(all[at - 1] === 'open' && at < all.indexOf('mkdir') + 1, `operation ${at}`);
        else assert.match(told, new RegExp(code));
        assert.deepEqual(found, told === 'done' || renamed ? change : before);
        const left = (await readdir(path)).filter((name) => name.endsWith('.tmp'));
        assert.deepEqual(left, [], 'a temporary file that could be removed is');
      }
    });
  }

  test('whose last write was torn by the disk is kept aside, and the device goes on', async (t) => {
    const path = await directory(t);
    await begun(path);
    const file = join(path, 'tandem-store.json');
    const whole = await readFile(file);
    for (const cut of [0, 1, Math.floor(whole.length / 2), whole.length - 2]) {
      await writeFile(file, whole.subarray(0, cut));
      const errors: string[] = [];
      const store = deviceStore(linuxFiles(), path, (level, message) => {
        if (level === 'error') errors.push(message);
      });
      assert.equal((await store.read())['artifact-name'], undefined);
      assert.match(errors.join(), /is damaged and is kept as/);
      assert.deepEqual(await readFile(`${file}-broken`), whole.subarray(0, cut));
    }
  });
});

/** As many turns of the event loop, in which all file work that can go on does. */
async function turns(count: number): Promise<'still under way'> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  return 'still under way';
}
