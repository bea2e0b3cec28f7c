import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { openFileSystemStorage } from './file-system-storage.ts';
import { readOrMakeLinkKey } from './link-key.ts';
import { ObjectStorageError } from './object-storage.ts';

const key = { tenant: 't1', id: '0c13a0e6-6b63-475d-8260-ee42a590e8ff' };

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tandem-storage-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function* bytes(...chunks: string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

const files = async (path: string) =>
  (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length;

test('what was stored is there, by parts, until it is deleted', async (t) => {
  const path = await directory(t);
  const storage = await openFileSystemStorage(path);
  const stored = await storage.put(key, bytes('hello ', 'world'), { sizeBytes: 11 });
  assert.equal(stored.sizeBytes, 11);
  assert.deepEqual(await storage.head(key), stored);
  const object = await storage.get(key);
  assert.ok(object);
  assert.equal((await buffer(object.content(6, 10))).toString(), 'world');
  assert.equal((await stat(join(path, key.tenant, key.id))).mode & 0o777, 0o600);
  for await (const found of storage.keys()) assert.deepEqual(found, key);
  await storage.delete(key);
  await storage.delete(key);
  assert.equal(await storage.get(key), undefined);
  assert.equal(await storage.head(key), undefined);
});

test('whatever goes wrong while storing, nothing is left', async (t) => {
  const path = await directory(t);
  const storage = await openFileSystemStorage(path);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('begun');
    throw new Error('the sender is gone');
  }
  const aborted = new AbortController();
  async function* abortedMidway(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('begun');
    aborted.abort();
    yield Buffer.from('more');
  }
  await assert.rejects(storage.put(key, broken()), /sender is gone/);
  await assert.rejects(storage.put(key, abortedMidway(), { signal: aborted.signal }), { name: 'AbortError' });
  await assert.rejects(storage.put(key, bytes('short'), { sizeBytes: 6 }), { code: 'wrongSize' });
  await assert.rejects(storage.put(key, bytes('long', 'er'), { sizeBytes: 5 }), { code: 'wrongSize' });
  assert.equal(await files(path), 0);
});

test('an object is never overwritten, and another under its id later has another tag', async (t) => {
  const storage = await openFileSystemStorage(await directory(t));
  const first = await storage.put(key, bytes('one'));
  await assert.rejects(storage.put(key, bytes('two')), { code: 'exists' });
  const object = await storage.get(key);
  assert.ok(object);
  assert.equal((await buffer(object.content(0, 2))).toString(), 'one');
  await storage.delete(key);
  const second = await storage.put(key, bytes('two'));
  assert.notEqual(first.etag, second.etag);
});

test('a key never leads out of the directory', async (t) => {
  const storage = await openFileSystemStorage(await directory(t));
  for (const bad of [
    { tenant: '..', id: 'x' },
    { tenant: 't', id: '../x' },
    { tenant: 't', id: '' },
    { tenant: '.incoming', id: 'x' },
  ]) {
    await assert.rejects(storage.put(bad, bytes('x')), { code: 'badKey' });
    await assert.rejects(storage.get(bad), { code: 'badKey' });
  }
});

test('a reader who leaves early, even before the first byte, leaves no file open', async (t) => {
  const storage = await openFileSystemStorage(await directory(t));
  await storage.put(key, bytes('x'.repeat(1_000_000)));
  const openFiles = async () => (await readdir('/proc/self/fd')).length;
  const before = await openFiles();
  for (let turn = 0; turn < 20; turn += 1) {
    const object = await storage.get(key);
    const stream = object?.content(0, 999_999);
    if (turn % 2 === 0) await stream?.take(1).toArray();
    stream?.destroy();
    if (stream !== undefined && !stream.closed) await new Promise((resolve) => stream.once('close', resolve));
  }
  assert.equal(await openFiles(), before);
});

test('the key of links is made once, for its owner alone, and refused when it is damaged', async (t) => {
  const path = join(await directory(t), 'keys', 'download-links.key');
  const made = await readOrMakeLinkKey(path);
  assert.equal(made.length, 32);
  assert.deepEqual(Buffer.from(await readOrMakeLinkKey(path)), Buffer.from(made));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await truncate(path, 7);
  await assert.rejects(
    readOrMakeLinkKey(path),
    (error) => error instanceof ObjectStorageError && /7 bytes/.test(error.message),
  );
});
