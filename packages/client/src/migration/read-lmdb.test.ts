import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { codeOf } from '../client-error.ts';
import { readLmdb } from './read-lmdb.ts';

const golden = (name: string): Buffer =>
  gunzipSync(readFileSync(join(import.meta.dirname, '../../golden/mender-store', `${name}.mdb.gz`)));

const textOf = (entries: ReadonlyMap<string, Uint8Array>, key: string): string =>
  Buffer.from(entries.get(key) ?? '').toString();

for (const bits of ['64-bit', '32-bit']) {
  describe(`a database of LMDB itself on a ${bits} board`, () => {
    test('is read entry by entry', () => {
      const entries = readLmdb(golden(`deployment-${bits}`));
      assert.deepEqual(
        [...entries.keys()],
        ['artifact-group', 'artifact-name', 'artifact-provides', 'state'],
      );
      assert.equal(textOf(entries, 'artifact-name'), 'release-1');
      assert.equal(textOf(entries, 'artifact-provides'), '{"rootfs-image.version":"1"}');
      assert.match(
        textOf(entries, 'state'),
        /^\{"Version":2,"Name":"reboot",.*"AllRollbacksSuccessful":false\}\}$/,
      );
    });

    test('is read over three levels of pages, with values that need pages of their own', () => {
      const entries = readLmdb(golden(`three-levels-${bits}`));
      assert.equal(entries.size, 64);
      const expected = Array.from({ length: 60 }, (_none, index) => [
        `key-${String(index).padStart(3, '0')}-${'k'.repeat(480)}`,
        (index % 20 === 0 ? `long ${index} ` : String(index)).repeat(1000),
      ]);
      for (const [key = '', value = ''] of expected) assert.equal(textOf(entries, key), value);
    });
  });
}

test('the database of mender 3.4 is read', () => {
  const entries = readLmdb(golden('mender-3.4-standalone'));
  assert.deepEqual([...entries.keys()], ['standalone-state']);
  assert.match(textOf(entries, 'standalone-state'), /^\{"Version":1,"ArtifactName":"u1"/);
});

describe('what is no whole database', () => {
  const whole = golden('deployment-64-bit');
  const changed = (at: number, ...bytes: readonly number[]): Buffer => {
    const copy = Buffer.from(whole);
    copy.set(bytes, at);
    return copy;
  };
  const page = 4096;
  // The later of the two meta pages; mdb_load has ended with its first transaction, which goes to page 1.
  const table = page + 88;
  // prettier-ignore
  const damaged = {
    'an empty file':                               [Buffer.alloc(0), /no LMDB database/],
    'text':                                        [Buffer.from('artifact-name=release-1\n'.repeat(1000)), /no LMDB database/],
    'a file that ends in the meta pages':          [whole.subarray(0, page + 100), /ends before its second page/],
    'a file that ends before the entries':         [whole.subarray(0, 2 * page), /leads to page 2, which it does not have/],
    'a meta page of zeros':                        [changed(page, ...Buffer.alloc(page)), /meta page is damaged/],
    'another version of the format':               [changed(page + 20, 2), /version 2/],
    'a page size that is none':                    [changed(40, 7), /page size is 4103/],
    'a table of sorted duplicates':                [changed(table + 4, 4), /not of the kind Mender writes/],
    'a depth that no database has':                [changed(table + 6, 0xff, 0xff), /depth is 65535/],
    'more entries than there are':                 [changed(table + 32, 5), /4 of the 5 entries/],
    'fewer entries than there are':                [changed(table + 32, 3), /more than the 3 entries/],
    'entries without an end':                      [changed(table + 32, 0xff, 0xff, 0xff, 0xff), /speaks of 4294967295 entries/],
    'a root beyond the file':                      [changed(table + 40, 0xff, 0xff, 0xff), /leads to page 16777215/],
    'a root that is a meta page':                  [changed(table + 40, 1), /leads to page 1/],
    'a root that is a branch where a leaf must be':[changed(2 * page + 10, 1), /not what its depth 1 of 1 says/],
    'a table of nodes that is longer than a page': [changed(2 * page + 12, 0xff, 0xff), /not to be found/],
    'a node outside its page':                     [changed(2 * page + 16, 0xff, 0xff), /outside its page/],
  } as const;
  for (const [name, [bytes, says]] of Object.entries(damaged)) {
    test(`${name} is refused in words`, () => {
      assert.throws(() => readLmdb(bytes), { code: 'badDatabase', message: says });
    });
  }

  test('a branch that leads back to itself ends', () => {
    const looping = golden('three-levels-64-bit');
    const root = looping.readUInt32LE(page + 88 + 40);
    const firstNode = looping.readUInt16LE(root * page + 16);
    looping.writeUInt32LE(root, root * page + firstNode);
    assert.throws(() => readLmdb(looping), /twice/);
  });

  test('any damage ends in entries or in a fault, and never in anything else', () => {
    const files = ['deployment-64-bit', 'three-levels-64-bit', 'three-levels-32-bit'].map(golden);
    const damage = fc.record({
      file: fc.constantFrom(...files),
      // The meta pages and the headers of pages say most of what can be wrong.
      changes: fc.array(
        fc.tuple(
          fc.nat(74),
          fc.oneof(fc.nat(159), fc.nat(4095)),
          fc.oneof(fc.constantFrom(0, 1, 2, 4, 8, 0xff), fc.nat(255)),
        ),
        { minLength: 1, maxLength: 12 },
      ),
      cut: fc.option(fc.nat(303_104)),
    });
    fc.assert(
      fc.property(damage, ({ file, changes, cut }) => {
        const copy = Buffer.from(file);
        for (const [number, at, value] of changes) copy.set([value], (number * page + at) % copy.length);
        try {
          readLmdb(cut === null ? copy : copy.subarray(0, cut));
        } catch (error) {
          if (codeOf(error) !== 'badDatabase') throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
