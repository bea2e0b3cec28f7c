import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatheredLines } from './gathered-lines.ts';

test('lines of one moment are written together, in their order, and much at once', () => {
  const written: string[] = [];
  const deferred: (() => void)[] = [];
  const { line, flush } = gatheredLines(
    (text) => void written.push(text),
    (run) => void deferred.push(run),
  );
  line(() => 'a\n');
  line(() => 'b\n');
  assert.equal(written.length, 0);
  deferred.shift()?.();
  assert.deepEqual(written, ['a\nb\n']);
  assert.equal(deferred.length, 0);

  for (let count = 0; count < 101; count += 1) line(() => 'c\n');
  assert.deepEqual(written.slice(1), ['c\n'.repeat(100)]);
  flush();
  flush();
  assert.deepEqual(written.slice(2), ['c\n']);
});
