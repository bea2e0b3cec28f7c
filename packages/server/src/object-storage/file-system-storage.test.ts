import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

test('an object is a file of its owner alone', async (t) => {
  const path = await directory(t);
  const storage = await openFileSystemStorage(path);
  await storage.put(key, bytes('x'));
  assert.equal((await stat(join(path, key.tenant, key.id))).mode & 0o777, 0o600);
});

test('what a cut left half written is removed, unless another may be writing it', async (t) => {
  const path = await directory(t);
  const storage = await openFileSystemStorage(path);
  await writeFile(join(path, '.incoming', 'half.tmp'), 'half');
  assert.equal(await storage.removeUnfinished(60_000), 0);
  assert.equal(await storage.removeUnfinished(0), 1);
  assert.deepEqual(await readdir(join(path, '.incoming')), []);
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
