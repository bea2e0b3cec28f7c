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
  line('a\n');
  line('b\n');
  assert.equal(written.length, 0);
  deferred.shift()?.();
  assert.deepEqual(written, ['a\nb\n']);
  assert.equal(deferred.length, 0);

  line('c\n');
  line('x'.repeat(70_000));
  assert.deepEqual(
    written.slice(1).map((text) => text.length),
    [70_002],
  );
  line('d\n');
  flush();
  flush();
  assert.deepEqual(written.slice(2), ['d\n']);
});
