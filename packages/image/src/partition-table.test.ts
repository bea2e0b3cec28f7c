import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readPartitionTable } from './partition-table.ts';

const mebibyte = 1 << 20;
let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-partitions-'));
});
after(() => rm(directory, { recursive: true, force: true }));

async function imageOf(head: Buffer, sizeBytes = 16 * mebibyte): Promise<string> {
  const path = join(directory, 'disk.img');
  await writeFile(path, head);
  await truncate(path, sizeBytes);
  return path;
}

/** Entries of type, first sector, sectors. */
function mbr(...entries: readonly (readonly [number, number, number])[]): Buffer {
  const sector = Buffer.alloc(512);
  for (const [index, [type, first, sectors]] of entries.entries()) {
    const at = 446 + index * 16;
    sector[at + 4] = type;
    sector.writeUInt32LE(first, at + 8);
    sector.writeUInt32LE(sectors, at + 12);
  }
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

function gpt(
  ...entries: readonly (readonly [type: string, first: number, last: number, name: string])[]
): Buffer {
  const head = Buffer.alloc(34 * 512);
  mbr([0xee, 1, 0xffffffff]).copy(head);
  head.write('EFI PART', 512, 'latin1');
  head.writeBigUInt64LE(2n, 512 + 72);
  head.writeUInt32LE(128, 512 + 80);
  head.writeUInt32LE(128, 512 + 84);
  for (const [index, [type, first, last, name]] of entries.entries()) {
    const at = 1024 + index * 128;
    Buffer.from(type, 'hex').copy(head, at);
    head.writeBigUInt64LE(BigInt(first), at + 32);
    head.writeBigUInt64LE(BigInt(last), at + 40);
    head.write(name, at + 56, 'utf16le');
  }
  return head;
}
// C12A7328-F81F-11D2-BA4B-00C93EC93B58 as it lies on the disk.
const espType = '28732ac11ff8d211ba4b00c93ec93b58';

describe('the partitions of a disk image', () => {
  test('of an MBR are told with numbers, places and types, logical ones among them', async () => {
    const head = Buffer.alloc(8192 * 512);
    mbr([0x0c, 2048, 1000], [0x83, 4096, 2000], [0x05, 8000, 4000]).copy(head);
    // The second logical partition's table lies 100 sectors into the extended one.
    mbr([0x83, 10, 50], [0x05, 100, 60]).copy(head, 8000 * 512);
    mbr([0x83, 10, 20]).copy(head, 8100 * 512);
    const { kind, partitions } = await readPartitionTable(await imageOf(head));
    assert.equal(kind, 'mbr');
    assert.deepEqual(
      partitions.map(({ number, offsetBytes, sizeBytes, type }) => [
        number,
        offsetBytes / 512,
        sizeBytes / 512,
        type,
      ]),
      [
        [1, 2048, 1000, '0c'],
        [2, 4096, 2000, '83'],
        [5, 8010, 50, '83'],
        [6, 8110, 20, '83'],
      ],
    );
  });

  test('of a GPT are told with their names, and the numbers that gaps leave', async () => {
    const image = await imageOf(
      gpt(
        [espType, 2048, 4095, 'EFI'],
        ['00'.repeat(16), 0, 0, ''],
        ['af3dc60f838472478e793d69d8477de4', 4096, 8191, 'root'],
      ),
    );
    const { kind, partitions } = await readPartitionTable(image);
    assert.equal(kind, 'gpt');
    assert.deepEqual(partitions, [
      {
        number: 1,
        offsetBytes: mebibyte,
        sizeBytes: mebibyte,
        type: 'c12a7328-f81f-11d2-ba4b-00c93ec93b58',
        name: 'EFI',
      },
      {
        number: 3,
        offsetBytes: 2 * mebibyte,
        sizeBytes: 2 * mebibyte,
        type: '0fc63daf-8483-4772-8e79-3d69d8477de4',
        name: 'root',
      },
    ]);
  });

  const loop = Buffer.alloc(4096 * 512);
  mbr([0x05, 2048, 1000]).copy(loop);
  mbr([0x83, 1, 1], [0x05, 0, 10]).copy(loop, 2048 * 512);
  const faults: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
    'a file without a table': [Buffer.alloc(1024), /neither GPT nor MBR.*--root/],
    'a file of some bytes': [Buffer.from('hello'), /neither GPT nor MBR/],
    'an MBR without partitions': [mbr(), /no partition/],
    'a GPT that is announced and missing': [mbr([0xee, 1, 100]), /announces a GPT, and there is none/],
    'a GPT without partitions': [gpt(), /no partition/],
    'a GPT that ends before it begins': [gpt([espType, 4096, 4000, 'x']), /ends before it begins/],
    'a chain that leads back into itself': [loop, /leads back into itself/],
    'a download that was cut off': [
      mbr([0x83, 2048, 1_000_000]),
      /partition 1 ends behind the end of the file/,
    ],
  };
  for (const [name, [head, message]] of Object.entries(faults))
    test(`cannot be read from ${name}, and that is said`, async () => {
      await assert.rejects(async () => readPartitionTable(await imageOf(head)), {
        code: 'unknownPartitionTable',
        message,
      });
    });
});
