import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { copiesOf, fileContent } from './file-content.ts';
import { inputBytes } from './limits.ts';
import { gather, noise } from './test-data/streams.ts';

const directory = await mkdtemp(join(tmpdir(), 'file-content-'));
after(() => rm(directory, { recursive: true }));
const path = join(directory, 'file');
const bytes = noise(5 * inputBytes + 17);
await writeFile(path, bytes);

test('a file is read to its end, from where it stands', async () => {
  const content = await gather(fileContent(await open(path)));
  assert.ok(content.equals(bytes));
});

test('a part of a file is read, and nothing of what stands around it', async () => {
  const range = { start: 1000, end: 3 * inputBytes + 5 };
  const content = await gather(fileContent(await open(path), range));
  assert.ok(content.equals(bytes.subarray(range.start, range.end)));
  const nothing = await gather(fileContent(await open(path), { start: 7, end: 7 }));
  assert.equal(nothing.length, 0);
});

test('whoever keeps pieces takes copies', async () => {
  const kept: Uint8Array[] = [];
  for await (const piece of copiesOf(fileContent(await open(path)))) kept.push(piece);
  assert.ok(Buffer.concat(kept).equals(bytes));
});

test('a file is closed when its reader has seen enough', async () => {
  const file = await open(path);
  for await (const piece of fileContent(file)) {
    assert.ok(piece.length > 0);
    break;
  }
  assert.equal(file.fd, -1);
});
