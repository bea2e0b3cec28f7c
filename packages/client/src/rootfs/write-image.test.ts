import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { linuxProcesses } from '../system/linux-processes.ts';
import type { RootfsPartition } from './partitions.ts';
import { sha256ReadBack } from './read-back.ts';
import { writeImage } from './write-image.ts';

const directory = await mkdtemp(join(tmpdir(), 'write-image-'));
after(() => rm(directory, { recursive: true }));

const MiB = 1024 * 1024;
const forever = new AbortController().signal;
const log: string[] = [];
const system = {
  processes: linuxProcesses(process.env),
  log: (_level: string, message: string) => void log.push(message),
};

let made = 0;
async function partition(sizeBytes: number, content?: Buffer): Promise<RootfsPartition> {
  made += 1;
  const path = join(directory, `partition-${made}`);
  await writeFile(path, content ?? Buffer.alloc(sizeBytes, 0x11));
  return { path, number: made, deviceNumber: undefined };
}

async function* inPieces(bytes: Buffer, ...sizes: number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? MiB;
    yield await Promise.resolve(bytes.subarray(at, at + size));
    at += size;
  }
}

const imageOf = (bytes: Buffer, content = inPieces(bytes, 65_536)) => ({
  name: 'rootfs.ext4',
  sizeBytes: bytes.length,
  sha256: sha256(bytes),
  content,
});
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('an image', () => {
  test('that shall not be read back is written, flushed and not read, and the log says so', async () => {
    const bytes = randomBytes(2 * MiB);
    const target = await partition(4 * MiB);
    log.length = 0;
    const wrong = { ...imageOf(bytes), sha256: sha256(randomBytes(1)) };
    await writeImage(system, target, wrong, forever, { verify: false });
    assert.ok((await readFile(target.path)).subarray(0, bytes.length).equals(bytes));
    assert.match(log.join('\n'), /Wrote .*, not read back: 2 blocks written/);
    await assert.rejects(writeImage(system, target, { ...wrong, content: inPieces(bytes) }, forever), {
      code: 'writeFailed',
    });
  });

  test('of any size, in pieces of any size, is in the partition, and the rest of the partition is as it was', async () => {
    for (const size of [1, 511, 4096, MiB - 1, MiB, MiB + 1, 3 * MiB + 12_345]) {
      for (const pieces of [[MiB], [3 * MiB], [1000, 70_000, 1]]) {
        const bytes = randomBytes(size);
        const target = await partition(4 * MiB);
        const written = await writeImage(system, target, imageOf(bytes, inPieces(bytes, ...pieces)), forever);
        assert.equal(written.sizeBytes, size);
        const found = await readFile(target.path);
        assert.ok(found.subarray(0, size).equals(bytes));
        assert.ok(found.subarray(size).equals(Buffer.alloc(4 * MiB - size, 0x11)));
      }
    }
  });

  test('that is there already is not written again, block by block', async () => {
    const bytes = randomBytes(3 * MiB + 500);
    const target = await partition(4 * MiB, Buffer.concat([bytes, Buffer.alloc(MiB - 500)]));
    assert.deepEqual(await counts(target, bytes), { sameBlocks: 4, writtenBlocks: 0 });
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(2 * MiB + 7) ^ 1, 2 * MiB + 7);
    assert.deepEqual(await counts(target, changed), { sameBlocks: 3, writtenBlocks: 1 });
    assert.ok((await readFile(target.path)).subarray(0, bytes.length).equals(changed));
  });

  async function counts(target: RootfsPartition, bytes: Buffer) {
    const { sameBlocks, writtenBlocks } = await writeImage(system, target, imageOf(bytes), forever);
    return { sameBlocks, writtenBlocks };
  }

  test('larger than the partition is refused before a byte is written', async () => {
    const target = await partition(MiB);
    const before = await readFile(target.path);
    const content = (async function* () {
      yield await Promise.reject<Uint8Array>(new Error('the content was asked for'));
    })();
    const image = { name: 'big.ext4', sizeBytes: MiB + 1, sha256: '', content };
    await assert.rejects(writeImage(system, target, image, forever), {
      code: 'badImage',
      message: /big\.ext4 .* 1048577 bytes and the partition 1048576/,
    });
    await assert.rejects(writeImage(system, target, { ...image, sizeBytes: 0 }, forever), {
      code: 'badImage',
    });
    assert.ok((await readFile(target.path)).equals(before));
  });

  test('that ends early or breaks off is an error', async () => {
    const bytes = randomBytes(2 * MiB);
    const target = await partition(4 * MiB);
    const short = { ...imageOf(bytes), sizeBytes: 2 * MiB + 1 };
    await assert.rejects(writeImage(system, target, short, forever), {
      code: 'badImage',
      message: /ended after 2097152/,
    });
    const breaking = async function* () {
      yield* inPieces(bytes, 100_000);
      throw new Error('checksum is wrong');
    };
    await assert.rejects(
      writeImage(system, target, { ...imageOf(bytes), content: breaking() }, forever),
      /checksum is wrong/,
    );
  });

  test('is not believed to be written when the medium holds something else', async () => {
    const bytes = randomBytes(2 * MiB);
    const [good, bad] = [await partition(4 * MiB), await partition(4 * MiB)];
    const path = join(directory, 'failing');
    await symlink(good.path, path);
    // The medium that lies: what is read back is another file than was written.
    const content = async function* () {
      yield* inPieces(bytes, MiB);
      await symlink(bad.path, `${path}-new`);
      await rename(`${path}-new`, path);
    };
    const failing = { ...good, path };
    await assert.rejects(writeImage(system, failing, { ...imageOf(bytes), content: content() }, forever), {
      code: 'writeFailed',
      message: /does not hold what was written/,
    });
  });

  test('is not written on when the work is called off', async () => {
    const controller = new AbortController();
    const bytes = randomBytes(2 * MiB);
    const content = async function* () {
      yield bytes.subarray(0, MiB);
      controller.abort(new Error('called off'));
      yield await Promise.resolve(bytes.subarray(MiB));
    };
    const target = await partition(4 * MiB);
    await assert.rejects(
      writeImage(system, target, { ...imageOf(bytes), content: content() }, controller.signal),
      /called off/,
    );
    assert.ok((await readFile(target.path)).subarray(MiB).equals(Buffer.alloc(3 * MiB, 0x11)));
  });
});

describe('reading back', () => {
  test('gives the checksum of exactly the bytes asked for, whatever their number', async () => {
    const bytes = randomBytes(2 * MiB + 777);
    const { path } = await partition(0, bytes);
    for (const size of [1, 4096, 4097, MiB, MiB + 3, bytes.length]) {
      const expected = createHash('sha256').update(bytes.subarray(0, size)).digest('hex');
      assert.equal(await sha256ReadBack(path, size, system.log, forever), expected, `${size} bytes`);
    }
    await assert.rejects(sha256ReadBack(path, bytes.length + 1, system.log, forever), /ends after 2097929/);
  });
});
