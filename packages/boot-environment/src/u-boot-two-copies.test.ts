import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  createUBootEnvironment,
  createUBootTwoCopies,
  uBootEnvironmentKind,
  uBootTwoCopies,
  type CopyPair,
} from './index.ts';

const directory = await mkdtemp(join(tmpdir(), 'u-boot-two-copies-'));
after(() => rm(directory, { recursive: true }));

const sizeBytes = 96;
const before = { bootcount: '0', mender_boot_part: '2', upgrade_available: '0' };
const flip = { mender_boot_part: '3', upgrade_available: '1', bootcount: '' };
const flipped = { mender_boot_part: '3', upgrade_available: '1' };

let made = 0;
async function pair(): Promise<CopyPair> {
  made += 1;
  const copies = [1, 2].map((number) => ({
    path: join(directory, `${made}-${number}`),
    offsetBytes: 0,
    sizeBytes,
  }));
  const [first, second] = copies;
  assert.ok(first !== undefined && second !== undefined);
  await createUBootTwoCopies([first, second], before);
  return [first, second];
}
const variablesIn = async (copies: CopyPair) => Object.fromEntries(await uBootTwoCopies(copies).read());

describe('two plain copies of a U-Boot environment', () => {
  test('are the same after each write', async () => {
    const copies = await pair();
    assert.deepEqual(await variablesIn(copies), before);
    await uBootTwoCopies(copies).write(flip);
    assert.deepEqual(await variablesIn(copies), flipped);
    assert.deepEqual(await readFile(copies[0].path), await readFile(copies[1].path));
  });

  test('do not mix writes that are asked for at the same time', async () => {
    const copies = await pair();
    const environment = uBootTwoCopies(copies);
    await Promise.all(['a', 'b', 'c'].map((name) => environment.write({ [name]: '1' })));
    assert.deepEqual(await variablesIn(copies), { ...before, a: '1', b: '1', c: '1' });
  });

  test('are told from redundant ones, also when one copy is torn', async () => {
    const plain = await pair();
    assert.equal(await uBootEnvironmentKind(plain), 'plain');
    await truncate(plain[0].path, 50);
    assert.equal(await uBootEnvironmentKind(plain), 'plain');
    await truncate(plain[1].path, 50);
    assert.equal(await uBootEnvironmentKind(plain), 'unknown');
    const redundant = await pair();
    await createUBootEnvironment(redundant, before);
    assert.equal(await uBootEnvironmentKind(redundant), 'redundant');
  });

  test('are refused when both are invalid, and not written over', async () => {
    const copies = await pair();
    for (const { path } of copies) await writeFile(path, Buffer.alloc(sizeBytes, 1));
    await assert.rejects(uBootTwoCopies(copies).read(), { code: 'bothCopiesInvalid' });
    await assert.rejects(uBootTwoCopies(copies).write(flip), { code: 'bothCopiesInvalid' });
    assert.deepEqual(await readFile(copies[1].path), Buffer.alloc(sizeBytes, 1));
  });
});

describe('a power cut during a write of two plain copies', () => {
  /** In which order the copies are written, by which of them are good. */
  // prettier-ignore
  const situations = [
    { name: 'both copies good',     torn: undefined, order: [1, 0] },
    { name: 'the first copy torn',  torn: 0,         order: [0, 1] },
    { name: 'the second copy torn', torn: 1,         order: [1, 0] },
  ] as const;
  for (const { name, torn, order } of situations) {
    test(`at any byte leaves the old environment or the new one (${name})`, async () => {
      const copies = await pair();
      if (torn !== undefined) await truncate(copies[torn].path, 40);
      const old = await Promise.all(copies.map(({ path }) => readFile(path)));
      await uBootTwoCopies(copies).write(flip);
      const now = await Promise.all(copies.map(({ path }) => readFile(path)));
      const disk = [...old];
      let sawNew = false;
      for (const index of order) {
        const [was, becomes] = [old[index], now[index]];
        assert.ok(was !== undefined && becomes !== undefined);
        for (let cut = 0; cut <= sizeBytes; cut++) {
          for (const bytes of [
            Buffer.concat([becomes.subarray(0, cut), was.subarray(cut)]),
            Buffer.concat([was.subarray(0, cut), becomes.subarray(cut)]),
          ]) {
            disk[index] = bytes;
            await Promise.all(copies.map(({ path }, at) => writeFile(path, disk[at] ?? '')));
            const read = await variablesIn(copies);
            const isNew = JSON.stringify(read) === JSON.stringify(flipped);
            if (!isNew) assert.deepEqual(read, before, `copy ${index + 1}, cut at ${cut}`);
            sawNew ||= isNew;
          }
        }
        disk[index] = becomes;
      }
      assert.ok(sawNew);
      await Promise.all(copies.map(({ path }, at) => writeFile(path, disk[at] ?? '')));
      assert.deepEqual(await variablesIn(copies), flipped);
    });
  }

  test('is mended by the next write', async () => {
    const copies = await pair();
    await truncate(copies[0].path, 10);
    await uBootTwoCopies(copies).write({ mended: 'yes' });
    assert.deepEqual(await variablesIn(copies), { ...before, mended: 'yes' });
    assert.deepEqual(await readFile(copies[0].path), await readFile(copies[1].path));
  });

  test('does not touch the copy that counts when the other cannot be written', async () => {
    const copies = await pair();
    const unwritable: CopyPair = [copies[0], { ...copies[1], path: join(directory, 'no/such/file') }];
    await assert.rejects(uBootTwoCopies(unwritable).write(flip), { code: 'io' });
    assert.deepEqual(await variablesIn(copies), before);
  });
});
