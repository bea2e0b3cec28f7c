import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { decodeGrubBlock, encodeGrubBlock } from './grub-block.ts';
import type { GrubFiles } from './grub-files.ts';
import { createGrubEnvironment, fileLock, grubEnvironment } from './index.ts';

const root = await mkdtemp(join(tmpdir(), 'grub-environment-'));
after(() => rm(root, { recursive: true }));

const before = {
  mender_boot_part: '2',
  upgrade_available: '0',
  bootcount: '0',
  mender_systemd_machine_id: 'abc',
};
const flip = { mender_boot_part: '3', upgrade_available: '1' };
const flipped = { ...before, ...flip };
const names = ['mender_grubenv1', 'mender_grubenv2'].flatMap((copy) =>
  ['env', 'lock', 'lock.sha256sum'].map((file) => `${copy}/${file}`),
);
const notLocked = () => Promise.resolve(() => Promise.resolve());

let made = 0;
async function freshDirectory(): Promise<string> {
  made += 1;
  const directory = join(root, String(made));
  await createGrubEnvironment(directory, before);
  return directory;
}
const ours = (directory: string) => grubEnvironment(directory, fileLock(join(directory, 'tools.lock')));
const variablesIn = async (directory: string) => Object.fromEntries(await ours(directory).read());

/** What is on the disk, by path; `overwrite` follows each write, or takes the power away. */
type Disk = Map<string, Buffer>;
const inMemory = (
  disk: Disk,
  onWrite: (path: string, bytes: Buffer) => void = () => undefined,
): GrubFiles => ({
  read: (path) => Promise.resolve(disk.get(path)),
  overwrite: async (path, bytes) => {
    onWrite(path, Buffer.from(bytes));
    disk.set(path, Buffer.from(bytes));
  },
});
async function diskOf(directory: string): Promise<Disk> {
  return new Map(
    await Promise.all(
      names.map(async (name) => [join('/', name), await readFile(join(directory, name))] as const),
    ),
  );
}

/** What GRUB's script makes of the disk: the second lock is looked at first, then the first; then it loads the first environment. */
function asGrubBoots(disk: Disk): Record<string, string> {
  const block = (name: string) => {
    const decoded = decodeGrubBlock(disk.get(name) ?? Buffer.alloc(0));
    return decoded.valid ? Object.fromEntries(decoded.variables) : {};
  };
  const editing = (copy: 1 | 2) => block(`/mender_grubenv${copy}/lock`)['editing'] !== '0';
  return !editing(2) && editing(1) ? block('/mender_grubenv2/env') : block('/mender_grubenv1/env');
}

const bothValid = (disk: Disk): boolean =>
  [1, 2].every((copy) => {
    const lock = disk.get(`/mender_grubenv${copy}/lock`) ?? Buffer.alloc(0);
    const sum = disk.get(`/mender_grubenv${copy}/lock.sha256sum`)?.toString() ?? '';
    return sum === `${createHash('sha256').update(lock).digest('hex')}  lock\n`;
  });

describe('a GRUB environment', () => {
  test('gives back what was written, keeps the other variables, and removes those set to nothing', async () => {
    const directory = await freshDirectory();
    assert.deepEqual(await variablesIn(directory), before);
    await ours(directory).write({ ...flip, bootcount: '' });
    const { bootcount: _, ...rest } = flipped;
    assert.deepEqual(await variablesIn(directory), rest);
  });

  test('is two equal copies of 1024 bytes after each write', async () => {
    const directory = await freshDirectory();
    await ours(directory).write(flip);
    const [env1, lock1, sum1, env2, lock2, sum2] = await Promise.all(
      names.map((name) => readFile(join(directory, name))),
    );
    assert.deepEqual([env1, lock1, sum1], [env2, lock2, sum2]);
    assert.deepEqual([env1?.length, lock1?.length], [1024, 1024]);
    assert.ok(bothValid(await diskOf(directory)));
  });

  test('keeps values GRUB must escape, and bytes that are no text', async () => {
    const directory = await freshDirectory();
    const difficult = { path: 'a\\b\\', lines: 'one\ntwo=#', blob: '\x80\xff' };
    await ours(directory).write(difficult);
    assert.deepEqual(await variablesIn(directory), { ...before, ...difficult });
  });

  test('does not mix writes of two programs at the same time', async () => {
    const directory = await freshDirectory();
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => ours(directory).write({ [name]: '1' })));
    assert.deepEqual(await variablesIn(directory), { ...before, a: '1', b: '1', c: '1', d: '1' });
  });

  test('is not touched while another program holds the lock, and the wait has an end', async () => {
    const directory = await freshDirectory();
    const release = await fileLock(join(directory, 'tools.lock'))();
    const impatient = grubEnvironment(directory, fileLock(join(directory, 'tools.lock'), 100));
    await assert.rejects(impatient.write(flip), { code: 'io', message: /another program has held/ });
    await release();
    await impatient.write(flip);
    assert.deepEqual(await variablesIn(directory), flipped);
  });

  test('keeps the checksum that other tools know, whatever the lock looks like besides', async () => {
    const directory = await freshDirectory();
    const lock = Buffer.alloc(1024, '#');
    lock.write('# GRUB Environment Block\nediting=0\n');
    const sum = `${createHash('sha256').update(lock).digest('hex')}  lock\n`;
    for (const copy of ['mender_grubenv1', 'mender_grubenv2']) {
      await writeFile(join(directory, copy, 'lock'), lock);
      await writeFile(join(directory, copy, 'lock.sha256sum'), sum);
    }
    await ours(directory).write(flip);
    await writeFile(join(directory, 'mender_grubenv1/lock'), 'torn');
    assert.deepEqual(await variablesIn(directory), flipped);
    for (const copy of ['mender_grubenv1', 'mender_grubenv2']) {
      assert.deepEqual(await readFile(join(directory, copy, 'lock')), lock);
      assert.equal(await readFile(join(directory, copy, 'lock.sha256sum'), 'utf8'), sum);
    }
  });
});

describe('a power cut during a write of a GRUB environment', () => {
  /** Every state the disk can be in: after each write, and with any part of the next one done. */
  async function* cuts(
    start: Disk,
    run: (files: GrubFiles) => Promise<unknown>,
    stride = 1,
  ): AsyncGenerator<[string, Disk]> {
    const writes: [string, Buffer][] = [];
    await run(inMemory(new Map(start), (path, bytes) => writes.push([path, bytes])));
    assert.ok(writes.length >= 3);
    const disk = new Map(start);
    for (const [step, [path, bytes]] of writes.entries()) {
      const old = disk.get(path) ?? Buffer.alloc(0);
      let last: Buffer | undefined;
      for (let cut = 0; cut <= bytes.length; cut += stride) {
        // Written up to `cut`; and, as sectors may be written in any order, from `cut` on.
        for (const torn of [
          Buffer.concat([bytes.subarray(0, cut), old.subarray(cut)]),
          Buffer.concat([old.subarray(0, cut), bytes.subarray(cut)]),
        ]) {
          if (last?.equals(torn) === true) continue;
          last = torn;
          yield [`step ${step + 1} of ${writes.length}, ${path}, byte ${cut}`, new Map(disk).set(path, torn)];
        }
      }
      disk.set(path, bytes);
    }
    yield ['after the last step', disk];
  }

  async function assertOldOrNew(
    states: AsyncGenerator<[string, Disk]>,
    allowed: readonly Record<string, string>[],
  ): Promise<Set<string>> {
    const seen = new Set<string>();
    for await (const [when, disk] of states) {
      const booted = asGrubBoots(disk);
      const read = Object.fromEntries(await grubEnvironment('/', notLocked, inMemory(disk)).read());
      assert.ok(
        allowed.some((one) => JSON.stringify(one) === JSON.stringify(read)),
        `${when}: ${JSON.stringify(read)}`,
      );
      assert.deepEqual(booted, read, `GRUB and we disagree: ${when}`);
      assert.ok(bothValid(disk), `not repaired by reading: ${when}`);
      seen.add(JSON.stringify(read));
    }
    return seen;
  }

  const write = (files: GrubFiles) => grubEnvironment('/', notLocked, files).write(flip);

  test('at any byte of any step leaves the old environment or the new one, and GRUB boots what we read', async () => {
    const start = await diskOf(await freshDirectory());
    const seen = await assertOldOrNew(cuts(start, write), [before, flipped]);
    assert.equal(seen.size, 2);
  });

  for (const damaged of [1, 2] as const) {
    test(`is survived while copy ${damaged} is damaged as well`, async () => {
      const start = await diskOf(await freshDirectory());
      start.set(`/mender_grubenv${damaged}/lock`, encodeGrubBlock(new Map([['editing', '1']]), 1024));
      start.set(`/mender_grubenv${damaged}/env`, Buffer.alloc(1024));
      await assertOldOrNew(cuts(start, write, 8), [before, flipped]);
    });
  }

  test('that befell GRUB itself, which writes the same way, is repaired', async () => {
    const start = await diskOf(await freshDirectory());
    start.set('/mender_grubenv2/lock', encodeGrubBlock(new Map([['editing', '1']]), 1024));
    const read = Object.fromEntries(await grubEnvironment('/', notLocked, inMemory(start)).read());
    assert.deepEqual(read, before);
  });

  test('that left nothing valid is told with both reasons, and nothing is written', async () => {
    const directory = await freshDirectory();
    await writeFile(join(directory, 'mender_grubenv1/lock'), 'no lock');
    await rm(join(directory, 'mender_grubenv2/env'));
    const refusal = { code: 'bothCopiesInvalid', message: /mender_grubenv1.*mender_grubenv2.*mounted/ };
    await assert.rejects(ours(directory).read(), refusal);
    await assert.rejects(ours(directory).write(flip), refusal);
    assert.equal(await readFile(join(directory, 'mender_grubenv1/lock'), 'utf8'), 'no lock');
  });
});

describe('what does not fit a GRUB environment block', () => {
  test('is refused before anything is written', async () => {
    const directory = await freshDirectory();
    const old = await diskOf(directory);
    await assert.rejects(ours(directory).write({ long: 'x'.repeat(1000) }), { code: 'tooLarge' });
    for (const bad of [
      { 'a=b': '1' },
      { '': '1' },
      { '#a': '1' },
      { 'a\nb': '1' },
      { a: 'x\0' },
      { a: '→' },
    ]) {
      await assert.rejects(ours(directory).write(bad), { code: 'badVariable' }, JSON.stringify(bad));
    }
    assert.deepEqual(await diskOf(directory), old);
  });

  for (const [name, text] of Object.entries({
    'no signature': 'a=1\n',
    'a line without a value': '# GRUB Environment Block\nword\n####',
    'a line cut off': '# GRUB Environment Block\na=1',
    'a value whose escape is cut off': '# GRUB Environment Block\na=1\\',
  })) {
    test(`is no block: ${name}`, () => {
      assert.equal(decodeGrubBlock(Buffer.from(text)).valid, false);
    });
  }

  test('comments and padding are no variables', () => {
    const block = Buffer.from('# GRUB Environment Block\n# a=1\nb=2\n#c=3\n###########');
    const decoded = decodeGrubBlock(block);
    assert.ok(decoded.valid);
    assert.deepEqual(Object.fromEntries(decoded.variables), { b: '2' });
  });
});
