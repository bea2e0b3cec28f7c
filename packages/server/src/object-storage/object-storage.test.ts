import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { everyStorage } from '../testing/every-storage.ts';
import type { ObjectKey, ObjectStorage } from './object-storage.ts';

const newKey = (): ObjectKey => ({ tenant: 't1', id: randomUUID() });

async function open(t: TestContext) {
  const path = await mkdtemp(join(tmpdir(), 'tandem-storage-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return everyStorage.open(path);
}

async function* bytes(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

/** So long that a bucket gets it in several parts. */
const long = randomBytes(40_000_000);
async function* piecewise(whole: Uint8Array, pieceBytes = 1_000_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += pieceBytes) yield whole.subarray(at, at + pieceBytes);
}

async function read(storage: ObjectStorage, key: ObjectKey, first: number, last: number): Promise<Buffer> {
  const object = await storage.get(key);
  assert.ok(object);
  return buffer(object.content(first, last));
}

async function keys(storage: ObjectStorage, olderThanMs: number): Promise<ObjectKey[]> {
  const found: ObjectKey[] = [];
  for await (const key of storage.keys(olderThanMs)) found.push(key);
  return found;
}

test('what was stored is there, by parts, until it is deleted', async (t) => {
  const { storage, stored } = await open(t);
  const key = newKey();
  const made = await storage.put(key, bytes('hello ', 'world'), { sizeBytes: 11 });
  assert.equal(made.sizeBytes, 11);
  assert.deepEqual(await storage.head(key), made);
  assert.equal((await read(storage, key, 6, 10)).toString(), 'world');
  assert.equal((await read(storage, key, 0, 10)).toString(), 'hello world');
  assert.equal((await stored()).length, 1);
  await storage.delete(key);
  await storage.delete(key);
  assert.equal(await storage.get(key), undefined);
  assert.equal(await storage.head(key), undefined);
  assert.deepEqual(await stored(), []);
});

for (const sizeBytes of [0, 1, 16 * 1024 ** 2, 16 * 1024 ** 2 + 1, long.length]) {
  test(`an object of ${sizeBytes} bytes comes back byte for byte, whether or not its size was told`, async (t) => {
    const { storage } = await open(t);
    const content = long.subarray(0, sizeBytes);
    for (const told of [sizeBytes, undefined]) {
      const key = newKey();
      assert.equal((await storage.put(key, piecewise(content), { sizeBytes: told })).sizeBytes, sizeBytes);
      assert.ok((await read(storage, key, 0, sizeBytes - 1)).equals(content));
    }
  });
}

test('any part of a long object can be had, also across the parts it was stored in', async (t) => {
  const { storage } = await open(t);
  const key = newKey();
  await storage.put(key, piecewise(long));
  for (const [first, last] of [
    [0, 0],
    [16_777_215, 16_777_216],
    [10_000_000, 39_999_999],
    [39_999_999, 39_999_999],
  ] as const) {
    assert.ok(
      (await read(storage, key, first, last)).equals(long.subarray(first, last + 1)),
      `${first}-${last}`,
    );
  }
});

test('whatever goes wrong while storing, at whichever byte, nothing is left', async (t) => {
  const { storage, stored } = await open(t);
  async function* broken(after: number): AsyncGenerator<Uint8Array> {
    yield* piecewise(long.subarray(0, after));
    throw new Error('the sender is gone');
  }
  for (const after of [0, 5, 16_777_216, 16_777_217, Math.floor(Math.random() * long.length), long.length]) {
    await assert.rejects(storage.put(newKey(), broken(after)), /sender is gone/, `after ${after} bytes`);
  }
  for (const after of [5, 20_000_000]) {
    const aborted = new AbortController();
    async function* abortedMidway(): AsyncGenerator<Uint8Array> {
      yield* piecewise(long.subarray(0, after));
      aborted.abort();
      yield Buffer.from('more');
    }
    const put = storage.put(newKey(), abortedMidway(), { signal: aborted.signal });
    await assert.rejects(put, { name: 'AbortError' });
  }
  for (const [content, sizeBytes] of [
    [Buffer.from('short'), 6],
    [Buffer.from('longer'), 5],
    [long, long.length - 1],
    [long, long.length + 1],
  ] as const) {
    await assert.rejects(storage.put(newKey(), piecewise(content), { sizeBytes }), { code: 'wrongSize' });
  }
  assert.deepEqual(await stored(), []);
});

test('an object is never overwritten, and another under its id later has another tag', async (t) => {
  const { storage } = await open(t);
  const key = newKey();
  const first = await storage.put(key, bytes('one'));
  await assert.rejects(storage.put(key, bytes('two')), { code: 'exists' });
  assert.equal((await read(storage, key, 0, 2)).toString(), 'one');
  await storage.delete(key);
  const second = await storage.put(key, bytes('two'));
  assert.notEqual(first.etag, second.etag);
});

test('all objects can be found, those that are old enough, and nothing else', async (t) => {
  const { storage } = await open(t);
  assert.deepEqual(await keys(storage, 0), []);
  const stored = [newKey(), newKey(), { tenant: 't2', id: 'raw-1' }];
  for (const key of stored) await storage.put(key, bytes('x'));
  assert.deepEqual(
    (await keys(storage, -5000)).map(({ id }) => id).toSorted(),
    stored.map(({ id }) => id).toSorted(),
  );
  assert.deepEqual(await keys(storage, 3_600_000), []);
  assert.equal(await storage.removeUnfinished(0), 0);
});

test('a key never leads out of the storage', async (t) => {
  const { storage } = await open(t);
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

test('a reader who leaves early does no harm to the next', async (t) => {
  const { storage } = await open(t);
  const key = newKey();
  await storage.put(key, piecewise(long));
  for (let turn = 0; turn < 10; turn += 1) {
    const object = await storage.get(key);
    const stream = object?.content(0, long.length - 1);
    if (turn % 2 === 0) await stream?.take(1).toArray();
    stream?.destroy();
  }
  assert.ok((await read(storage, key, 0, long.length - 1)).equals(long));
});
