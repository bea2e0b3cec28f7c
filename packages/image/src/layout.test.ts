import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBoard, type Board } from './board.ts';
import { mebibyte, planLayout } from './layout.ts';
import { partitionsOf } from './partitions.ts';

const boardOf = (keys: Readonly<Record<string, unknown>> = {}): Board =>
  parseBoard(
    { name: 'test', deviceType: 'test', architecture: 'amd64', bootloader: 'none', ...keys },
    'the board of the test',
  );
const plan = (board: Board, contentMiB = 300, reservedMiB = 0) =>
  planLayout(board, partitionsOf(board), {
    rootContentBytes: contentMiB * mebibyte,
    bootContentBytes: mebibyte,
    dataContentBytes: 4096,
    reservedBytes: reservedMiB * mebibyte,
  });
const sizes = (board: Board, contentMiB?: number) =>
  plan(board, contentMiB).partitions.map(({ sizeBytes }) => sizeBytes / mebibyte);

describe('the places of partitions', () => {
  test('by default: boot, two roots with half as much again as their content, data; all aligned, nothing between', () => {
    const { partitions, totalBytes } = plan(boardOf());
    assert.deepEqual(
      partitions.map(({ role, number, offsetBytes, sizeBytes }) => [
        role,
        number,
        offsetBytes / mebibyte,
        sizeBytes / mebibyte,
      ]),
      [
        ['boot', 1, 8, 64],
        ['rootA', 2, 72, 456],
        ['rootB', 3, 528, 456],
        ['data', 4, 984, 128],
      ],
    );
    // And room for the copy of the GPT.
    assert.equal(totalBytes / mebibyte, 984 + 128 + 8);
    assert.equal(partitions[1]?.why, 'content 300 MiB + 50 %');
  });

  test('of a storage of a given size: the roots share what is left', () => {
    const board = boardOf({ storageMiB: 8192, partitionTable: 'mbr' });
    assert.deepEqual(sizes(board), [64, 3992, 3992, 128]);
    assert.ok(8 + 64 + 2 * 3992 + 128 <= 8192);
  });

  test('with a size of the roots, nothing is reckoned', () => {
    assert.deepEqual(sizes(boardOf({ 'rootfs.sizeMiB': 1000 })), [64, 1000, 1000, 128]);
  });

  test('behind what the bootloader wants at the beginning', () => {
    assert.equal(plan(boardOf(), 300, 20).partitions[0]?.offsetBytes, 24 * mebibyte);
  });

  test('without a boot partition, the roots are the first two', () => {
    const { partitions } = plan(boardOf({ 'boot.sizeMiB': 0 }));
    assert.deepEqual(
      partitions.map(({ role, number }) => `${role} ${number}`),
      ['rootA 1', 'rootB 2', 'data 3'],
    );
  });

  const tooSmall: Readonly<Record<string, readonly [Record<string, unknown>, RegExp]>> = {
    'the roots': [{ 'rootfs.sizeMiB': 300 }, /each root partition has 304 MiB .* raise rootfs.sizeMiB/],
    'the storage for its roots': [{ storageMiB: 700 }, /an image of 864 MiB is the least.*raise storageMiB/],
    'the storage for its data': [{ storageMiB: 100, 'data.sizeMiB': 128 }, /each root partition has 0 MiB/],
    'the storage for roots of a given size': [
      { storageMiB: 1000, 'rootfs.sizeMiB': 500 },
      /need 1216 MiB and storageMiB is 1000/,
    ],
    'the boot partition': [
      { 'boot.sizeMiB': 1, alignmentMiB: 1 },
      /boot partition has 1 MiB .* raise boot.sizeMiB/,
    ],
  };
  for (const [name, [keys, message]] of Object.entries(tooSmall))
    test(`too little room in ${name} is told with what would do`, () => {
      assert.throws(() => plan(boardOf(keys)), { code: 'imageTooSmall', message });
    });
});

describe('the names of partitions', () => {
  test('are the same in every build of a board, and others for another board', () => {
    const [one, same, other] = [boardOf(), boardOf({ storageMiB: 4096 }), boardOf({ name: 'other' })].map(
      partitionsOf,
    );
    assert.deepEqual(one, same);
    assert.notEqual(one?.rootA.partUuid, other?.rootA.partUuid);
  });

  test('in an MBR come from the disk and the number', () => {
    const { diskId, data } = partitionsOf(boardOf({ partitionTable: 'mbr' }));
    assert.match(diskId, /^[0-9a-f]{8}$/);
    assert.equal(data.kernelDevice, `PARTUUID=${diskId}-04`);
  });

  test('are those of the storage where the board says which it is', () => {
    const { rootB } = partitionsOf(boardOf({ storageDevice: '/dev/mmcblk0p' }));
    assert.deepEqual([rootB.device, rootB.kernelDevice], ['/dev/mmcblk0p3', '/dev/mmcblk0p3']);
  });
});
