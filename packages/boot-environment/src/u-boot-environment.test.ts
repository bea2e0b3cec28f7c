import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  BootEnvironmentError,
  createUBootEnvironment,
  decodeEnvironment,
  encodeEnvironment,
  uBootEnvironment,
  type EnvironmentCopy,
} from './index.ts';

const directory = await mkdtemp(join(tmpdir(), 'boot-environment-'));
after(() => rm(directory, { recursive: true }));

const sizeBytes = 96;
const before = { mender_boot_part: '2', upgrade_available: '0', bootcount: '0' };
const flip = { mender_boot_part: '3', upgrade_available: '1', bootcount: '' };
const flipped = { mender_boot_part: '3', upgrade_available: '1' };

type Pair = readonly [EnvironmentCopy, EnvironmentCopy];
let made = 0;

function twoFiles(): Pair {
  made += 1;
  return [
    { path: join(directory, `${made}-first`), offsetBytes: 0, sizeBytes },
    { path: join(directory, `${made}-second`), offsetBytes: 0, sizeBytes },
  ];
}

async function variablesIn(copies: Pair): Promise<Record<string, string>> {
  return Object.fromEntries(await uBootEnvironment(copies).read());
}

describe('a boot environment in two redundant copies', () => {
  test('gives back what was written, keeps the other variables, and removes those set to nothing', async () => {
    const copies = twoFiles();
    await createUBootEnvironment(copies, before);
    assert.deepEqual(await variablesIn(copies), before);
    await uBootEnvironment(copies).write(flip);
    assert.deepEqual(await variablesIn(copies), flipped);
  });

  test('keeps bytes of other programs that are no text', async () => {
    const copies = twoFiles();
    await createUBootEnvironment(copies, { blob: '\x80\xff\xc3\xa9', a: '1' });
    await uBootEnvironment(copies).write({ a: '2' });
    assert.deepEqual(await variablesIn(copies), { blob: '\x80\xff\xc3\xa9', a: '2' });
  });

  test('writes the two copies in turn, through 600 writes and so twice around the flag', async () => {
    const copies = twoFiles();
    await createUBootEnvironment(copies, {});
    const environment = uBootEnvironment(copies);
    for (let count = 1; count <= 600; count++) {
      const untouched = copies[count % 2 === 1 ? 0 : 1].path;
      const bytes = await readFile(untouched);
      await environment.write({ count: String(count) });
      assert.deepEqual(await readFile(untouched), bytes, `write ${count} must leave the copy that counted`);
      assert.deepEqual(await variablesIn(copies), { count: String(count) });
    }
  });

  test('does not mix writes that are asked for at the same time', async () => {
    const copies = twoFiles();
    await createUBootEnvironment(copies, {});
    const environment = uBootEnvironment(copies);
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => environment.write({ [name]: '1' })));
    assert.deepEqual(await variablesIn(copies), { a: '1', b: '1', c: '1', d: '1' });
  });

  test('lives at offsets of one device, also counted from its end, and touches nothing else there', async () => {
    const path = join(directory, 'device');
    const content = Buffer.alloc(4096, 0x5a);
    await writeFile(path, content);
    const copies: Pair = [
      { path, offsetBytes: 512, sizeBytes },
      { path, offsetBytes: -1024, sizeBytes },
    ];
    await createUBootEnvironment(copies, before);
    await uBootEnvironment(copies).write(flip);
    assert.deepEqual(await variablesIn(copies), flipped);
    const after = await readFile(path);
    for (const [from, to] of [
      [0, 512],
      [512 + sizeBytes, 3072],
      [3072 + sizeBytes, 4096],
    ]) {
      assert.deepEqual(after.subarray(from, to), content.subarray(from, to));
    }
  });
});

describe('a power cut during a write', () => {
  // The copy being written is, after each possible cut, either the old bytes behind the new ones, or cut short.
  async function stateBeforeAndAfter(writes: number) {
    const copies = twoFiles();
    await createUBootEnvironment(copies, before);
    const environment = uBootEnvironment(copies);
    for (let count = 0; count < writes; count++) await environment.write({ round: String(count) });
    const old = await variablesIn(copies);
    const written = copies[writes % 2 === 0 ? 1 : 0];
    const oldBytes = await readFile(written.path);
    await environment.write(flip);
    return {
      copies,
      written,
      old,
      oldBytes,
      new: await variablesIn(copies),
      newBytes: await readFile(written.path),
    };
  }

  // 254 writes: the flag goes from 255 to 0 in the write that is torn.
  for (const writes of [0, 1, 2, 254]) {
    test(`at any byte leaves the old environment or the new one (after ${writes} writes)`, async () => {
      const state = await stateBeforeAndAfter(writes);
      for (let cut = 0; cut <= sizeBytes; cut++) {
        const torn = Buffer.concat([state.newBytes.subarray(0, cut), state.oldBytes.subarray(cut)]);
        await writeFile(state.written.path, torn);
        const read = await variablesIn(state.copies);
        assert.deepEqual(read, torn.equals(state.newBytes) ? state.new : state.old, `cut at ${cut}`);

        await writeFile(state.written.path, state.newBytes);
        await truncate(state.written.path, cut);
        assert.deepEqual(
          await variablesIn(state.copies),
          cut < sizeBytes ? state.old : state.new,
          `truncated to ${cut}`,
        );
      }
    });

    test(`with sectors written in any order leaves the old or the new (after ${writes} writes)`, async () => {
      const state = await stateBeforeAndAfter(writes);
      const sector = 16;
      for (let mask = 0; mask < 1 << (sizeBytes / sector); mask++) {
        const torn = Buffer.from(state.oldBytes);
        for (let index = 0; index < sizeBytes / sector; index++) {
          if ((mask & (1 << index)) !== 0)
            state.newBytes.copy(torn, index * sector, index * sector, (index + 1) * sector);
        }
        await writeFile(state.written.path, torn);
        assert.deepEqual(
          await variablesIn(state.copies),
          torn.equals(state.newBytes) ? state.new : state.old,
        );
      }
    });
  }

  test('is mended by the next write, which goes to the torn copy', async () => {
    const state = await stateBeforeAndAfter(0);
    await truncate(state.written.path, 10);
    await uBootEnvironment(state.copies).write({ mended: 'yes' });
    assert.deepEqual(await variablesIn(state.copies), { ...before, mended: 'yes' });
    assert.equal(decodeEnvironment(await readFile(state.written.path)).valid, true);
  });
});

describe('a boot environment that cannot be trusted', () => {
  test('is refused when both copies are invalid, naming both, and is not written over', async () => {
    const copies = twoFiles();
    await createUBootEnvironment(copies, before);
    for (const { path } of copies) {
      const bytes = await readFile(path);
      bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
      await writeFile(path, bytes);
    }
    const damaged = await readFile(copies[1].path);
    const refusal = (error: unknown) =>
      error instanceof BootEnvironmentError &&
      error.code === 'bothCopiesInvalid' &&
      copies.every(({ path }) => error.message.includes(path));
    await assert.rejects(uBootEnvironment(copies).read(), refusal);
    await assert.rejects(uBootEnvironment(copies).write(flip), refusal);
    assert.deepEqual(await readFile(copies[1].path), damaged);
  });

  test('is still read when one of its files is gone', async () => {
    const copies = twoFiles();
    await createUBootEnvironment(copies, before);
    await rm(copies[0].path);
    assert.deepEqual(await variablesIn(copies), before);
  });

  test('is refused on raw flash and other character devices', async () => {
    const zero: Pair = [
      { path: '/dev/zero', offsetBytes: 0, sizeBytes },
      { path: '/dev/zero', offsetBytes: 4096, sizeBytes },
    ];
    await assert.rejects(uBootEnvironment(zero).read(), { code: 'notSupported', message: /fw-tools/ });
  });

  test('is refused when the copies overlap or differ in size', () => {
    const copy = { path: '/dev/null', offsetBytes: 0, sizeBytes };
    assert.throws(() => uBootEnvironment([copy, { ...copy, offsetBytes: sizeBytes - 1 }]), {
      message: /overlap/,
    });
    assert.throws(() => uBootEnvironment([copy, { ...copy, path: '/x', sizeBytes: 97 }]), {
      message: /differ in size/,
    });
    assert.throws(() => uBootEnvironment([{ ...copy, sizeBytes: 4 }, copy]), { code: 'badLayout' });
  });
});

describe('what does not fit the format', () => {
  test('is refused before anything is written', async () => {
    const copies = twoFiles();
    await createUBootEnvironment(copies, before);
    const environment = uBootEnvironment(copies);
    const bytes = await Promise.all(copies.map(({ path }) => readFile(path)));
    await assert.rejects(environment.write({ long: 'x'.repeat(sizeBytes) }), { code: 'tooLarge' });
    for (const bad of [{ 'a=b': '1' }, { '': '1' }, { a: 'x\0y' }, { a: '→' }]) {
      await assert.rejects(environment.write(bad), { code: 'badVariable' });
    }
    assert.deepEqual(await Promise.all(copies.map(({ path }) => readFile(path))), bytes);
  });

  test('is told to the byte: the largest environment fits, one more does not', () => {
    const capacity = sizeBytes - 5 - 'a='.length - 2;
    const largest = new Map([['a', 'x'.repeat(capacity)]]);
    const decoded = decodeEnvironment(encodeEnvironment(largest, 7, sizeBytes));
    assert.deepEqual(decoded, { valid: true, flag: 7, variables: largest });
    const larger = new Map([['a', 'x'.repeat(capacity + 1)]]);
    assert.throws(() => encodeEnvironment(larger, 7, sizeBytes), { code: 'tooLarge' });
  });
});
