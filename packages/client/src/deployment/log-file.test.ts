import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openLogFile, type LogStorage } from './log-file.ts';

const never = new Promise<never>(() => undefined);
const limitMs = 30;

async function file(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'log-file-'));
  t.after(() => rm(directory, { recursive: true }));
  return join(directory, 'log');
}

/** The real file, but for what is given. */
const storageThat = (does: Partial<LogStorage>): LogStorage => ({
  append: async (path, text) => appendFile(path, text),
  sync: async () => undefined,
  readEnd: async (path) => ({ text: await readFile(path, 'utf8'), isCut: false }),
  ...does,
});

test('lines reach the file in their order, however slow it is', async (t) => {
  const path = await file(t);
  const slow = storageThat({
    append: async (at, text) => {
      await new Promise((resolve) => setImmediate(resolve));
      await appendFile(at, text);
    },
  });
  const log = openLogFile(path, slow);
  const lines = Array.from({ length: 200 }, (_, n) => `line ${n}\n`);
  for (const line of lines) {
    log.append(line);
    if (line.endsWith('7\n')) await log.sync();
  }
  assert.deepEqual(await log.end(1_000_000), { text: lines.join(''), isCut: false });
});

test('a medium that hangs holds up nobody who logs, and what it did not take can still be sent', async (t) => {
  const log = openLogFile(await file(t), storageThat({ append: () => never }), limitMs);
  log.append('one\n');
  log.append('two\n');
  assert.equal(log.hanging(), undefined);
  await assert.rejects(log.sync(), { code: 'storageHangs', message: /^Writing .*log has not come back/ });
  log.append('three\n');
  assert.deepEqual(await log.end(1000), { text: '\none\ntwo\nthree\n', isCut: true });
  assert.match(log.hanging()?.message ?? '', /has not come back within 0.03 s: the storage hangs/);
});

test('a medium that hangs does not fill the memory', async (t) => {
  const log = openLogFile(await file(t), storageThat({ append: () => never }), limitMs);
  for (let n = 0; n < 100; n++) log.append(`${n} ${'x'.repeat(10_000)}\n`);
  const { text } = await log.end(10_000_000);
  assert.ok(text.length < 300_000, `${text.length}`);
  assert.match(text, /\n99 x+\n$/);
});

for (const call of ['sync', 'readEnd'] as const) {
  test(`a medium that hangs in ${call} is told of in time`, async (t) => {
    const log = openLogFile(await file(t), storageThat({ [call]: () => never }), limitMs);
    log.append('one\n');
    if (call === 'sync') await assert.rejects(log.sync(), { code: 'storageHangs' });
    else assert.deepEqual(await log.end(1000), { text: '\n', isCut: true });
    assert.notEqual(log.hanging(), undefined);
  });
}

test('a full medium loses the line and takes later ones', async (t) => {
  const path = await file(t);
  let full = true;
  const log = openLogFile(
    path,
    storageThat({
      append: async (at, text) => {
        if (full) throw new Error('ENOSPC');
        await appendFile(at, text);
      },
    }),
  );
  log.append('lost\n');
  await log.sync();
  full = false;
  log.append('kept\n');
  await log.sync();
  assert.equal(log.hanging(), undefined);
  assert.equal(await readFile(path, 'utf8'), 'kept\n');
});
