import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blockBytes, writeBlocks } from './block-writer.ts';

const forever = new AbortController().signal;

/** A device of zeros that keeps nothing but what was done to it. */
function deviceOfZeros(faults: { readonly flush?: Error; readonly readAt?: number } = {}) {
  const done = { flushes: 0, written: [] as number[] };
  const file = {
    read: (buffer: Buffer, offset: number, length: number, position: number) => {
      if (position === faults.readAt) return Promise.reject(new Error('bad sector'));
      buffer.fill(0, offset, offset + length);
      return Promise.resolve({ bytesRead: length });
    },
    write: (_bytes: Uint8Array, _offset: number, length: number, position: number) => {
      done.written.push(position / blockBytes);
      return Promise.resolve({ bytesWritten: length });
    },
    datasync: () => {
      done.flushes += 1;
      return faults.flush === undefined ? Promise.resolve() : Promise.reject(faults.flush);
    },
  };
  return { file, done };
}

/** Blocks each of one byte's value, which come as late as from a network. */
async function* blocks(values: readonly number[]): AsyncIterable<Uint8Array> {
  for (const value of values) {
    await new Promise((resolve) => setImmediate(resolve));
    yield Buffer.alloc(blockBytes, value);
  }
}

describe('writing blocks', () => {
  test('leaves alone what is there, wherever it stands between what is not', async () => {
    const { file, done } = deviceOfZeros();
    const counts = await writeBlocks(file, blocks([0, 1, 0, 0, 2]), forever);
    assert.deepEqual(done.written, [1, 4]);
    assert.equal(counts.sameBlocks, 3);
  });

  test('flushes while the content comes, and ends at a flush that fails', async () => {
    const large = Array.from({ length: 130 }, () => 1);
    const sound = deviceOfZeros();
    await writeBlocks(sound.file, blocks(large), forever);
    assert.equal(sound.done.flushes, 2);
    const never = deviceOfZeros();
    await writeBlocks(never.file, blocks(large), forever, { flushEveryBytes: Infinity });
    assert.equal(never.done.flushes, 0);
    const failing = deviceOfZeros({ flush: new Error('EIO') });
    await assert.rejects(writeBlocks(failing.file, blocks(large), forever), /EIO/);
    assert.ok(failing.done.written.length < 70, 'nothing more is written after it');
  });

  test('minds a bad sector where it compares, and none behind the last block', async () => {
    const within = deviceOfZeros({ readAt: blockBytes });
    await assert.rejects(writeBlocks(within.file, blocks([1, 1, 1]), forever), /bad sector/);
    const behind = deviceOfZeros({ readAt: 3 * blockBytes });
    assert.equal((await writeBlocks(behind.file, blocks([1, 1, 1]), forever)).writtenBlocks, 3);
  });
});
