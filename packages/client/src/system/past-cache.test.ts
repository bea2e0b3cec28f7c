import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { writeBlocks } from '../rootfs/block-writer.ts';
import { sha256ReadBack } from '../rootfs/read-back.ts';
import type { OpenFile, OpenedFile } from './open-in-time.ts';
import { directBytes, openPastCache } from './past-cache.ts';

const directory = await mkdtemp(join(tmpdir(), 'past-cache-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;

interface Call {
  readonly call: 'read' | 'write';
  readonly isDirect: boolean;
  readonly isAligned: boolean;
  readonly position: number;
  readonly length: number;
}

const failure = (code: string) => Object.assign(new Error(code), { code });

/** The real files, and what is done to them; `fault` may stand in the way of those that are open past the cache. */
function watchedFiles(fault: (call: 'open' | 'read' | 'write') => Error | undefined = () => undefined) {
  const calls: Call[] = [];
  let openFiles = 0;
  const watched: OpenFile = async (path, flags) => {
    const isDirect = (flags & constants.O_DIRECT) !== 0;
    const fail = (call: 'open' | 'read' | 'write') => {
      const error = isDirect ? fault(call) : undefined;
      if (error !== undefined) throw error;
    };
    fail('open');
    const file = await open(path, flags);
    openFiles += 1;
    const note = (call: 'read' | 'write', bytes: Uint8Array, length: number, position: number) => {
      calls.push({ call, isDirect, isAligned: bytes.byteOffset % 65_536 === 0, position, length });
      fail(call);
    };
    return {
      read: async (buffer, offset, length, position) => {
        note('read', buffer, length, position);
        return file.read(buffer, offset, length, position);
      },
      write: async (buffer, offset, length, position) => {
        note('write', buffer, length, position);
        return file.write(buffer, offset, length, position);
      },
      datasync: () => file.datasync(),
      sync: () => file.sync(),
      close: async () => {
        openFiles -= 1;
        await file.close();
      },
    };
  };
  return { open: watched, calls, openFiles: () => openFiles };
}

/** A file, with bytes that are to come into it from `from` on: neither begins nor ends at a whole piece. */
async function partition(name: string) {
  const path = join(directory, name);
  const from = 5000;
  const bytes = randomBytes(3 * directBytes + 1234);
  await writeFile(path, Buffer.alloc(5 * directBytes, 7));
  const write = (file: OpenedFile) =>
    writeBlocks(
      file,
      (async function* () {
        yield await Promise.resolve(bytes);
      })(),
      forever,
      { from },
    );
  const isThere = async () => {
    const found = await readFile(path);
    assert.ok(found.subarray(from, from + bytes.length).equals(bytes));
    const others = [found.subarray(0, from), found.subarray(from + bytes.length)];
    assert.ok(
      others.every((other) => other.every((byte) => byte === 7)),
      'what stands beside is untouched',
    );
    assert.equal(found.length, 5 * directBytes);
  };
  return { path, write, isThere };
}

describe('past the cache', () => {
  test('go whole blocks, written and compared, from memory that is aligned for it', async () => {
    const { path, write, isThere } = await partition('whole');
    const files = watchedFiles();
    const file = await openPastCache(path, 'r+', files.open);
    await write(file);
    await file.sync();
    await file.close();
    await isThere();
    assert.equal(files.openFiles(), 0);
    const writes = files.calls.filter(({ call }) => call === 'write');
    assert.deepEqual(
      writes.map(({ isDirect }) => isDirect),
      [false, true, true, false],
      'the first and the last are no whole blocks',
    );
    for (const { call, isDirect, isAligned, position, length } of files.calls) {
      if (call === 'read') assert.equal(isDirect, position % directBytes === 0);
      if (isDirect) assert.deepEqual({ isAligned, length }, { isAligned: true, length: directBytes });
    }
  });

  test('goes all that is read back, and its end too', async () => {
    const path = join(directory, 'read-back');
    const bytes = randomBytes(2 * directBytes + 5);
    await writeFile(path, bytes);
    const files = watchedFiles();
    const sha256 = (size: number) => sha256ReadBack(path, size, () => undefined, forever, files.open);
    for (const size of [bytes.length, directBytes, 5]) {
      const expected = createHash('sha256').update(bytes.subarray(0, size)).digest('hex');
      assert.equal(await sha256(size), expected);
    }
    assert.deepEqual(
      files.calls.map(({ isDirect, isAligned, position }) => [isDirect, isAligned, position / directBytes]),
      [0, 1, 2, 0, 0].map((piece) => [true, true, piece]),
    );
    await assert.rejects(sha256(bytes.length + 1), /ends after 2097157 of 2097158 bytes/);
    assert.equal(files.openFiles(), 0);
  });

  for (const [code, refusing] of [
    ['EINVAL', 'open'],
    ['ENOTSUP', 'open'],
    ['EINVAL', 'read'],
    ['EINVAL', 'write'],
  ] as const) {
    test(`goes nothing where ${refusing} is refused with ${code}: all goes the usual way, which is told once`, async () => {
      const { path, write, isThere } = await partition(`refused-${refusing}-${code}`);
      const files = watchedFiles((call) => (call === refusing ? failure(code) : undefined));
      let refusals = 0;
      const file = await openPastCache(path, 'r+', files.open, () => (refusals += 1));
      await write(file);
      await file.close();
      await isThere();
      assert.equal(refusals, 1);
      assert.ok(files.calls.filter(({ isDirect, call }) => isDirect && call === refusing).length <= 1);
      assert.equal(files.openFiles(), 0);
    });
  }

  test('two calls at once that are refused are one refusal', async () => {
    const { path } = await partition('refused-twice');
    const files = watchedFiles((call) => (call === 'open' ? undefined : failure('EINVAL')));
    let refusals = 0;
    const file = await openPastCache(path, 'r', files.open, () => (refusals += 1));
    const read = async (position: number) => file.read(Buffer.alloc(directBytes), 0, directBytes, position);
    const found = await Promise.all([read(0), read(directBytes)]);
    await file.close();
    assert.deepEqual(
      found.map(({ bytesRead }) => bytesRead),
      [directBytes, directBytes],
    );
    assert.equal(refusals, 1);
  });

  for (const failing of ['open', 'read', 'write'] as const) {
    test(`an error in ${failing} is not taken for a refusal`, async () => {
      const { path, write } = await partition(`failing-${failing}`);
      const files = watchedFiles((call) => (call === failing ? failure('EIO') : undefined));
      const opening = openPastCache(path, 'r+', files.open, () => assert.fail('told of a refusal'));
      if (failing === 'open') await assert.rejects(opening, /EIO/);
      else {
        const file = await opening;
        await assert.rejects(write(file), /EIO/);
        await file.close();
      }
      assert.equal(files.openFiles(), 0);
    });
  }
});
