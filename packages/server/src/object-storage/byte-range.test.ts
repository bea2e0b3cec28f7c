import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectBytes } from './byte-range.ts';

const object = { sizeBytes: 1000, etag: '"now"' };
const whole = { kind: 'whole' };
const part = (first: number, last: number) => ({ kind: 'part', first, last });
const none = { kind: 'unsatisfiable' };

// prettier-ignore
const cases = [
  ['bytes=0-',            part(0, 999)],
  ['bytes=0-0',           part(0, 0)],
  ['bytes=500-',          part(500, 999)],
  ['bytes=500-999',       part(500, 999)],
  ['bytes=500-5000',      part(500, 999)],
  ['bytes=-1',            part(999, 999)],
  ['bytes=-5000',         part(0, 999)],
  ['Bytes=1-2',           part(1, 2)],
  ['bytes=1000-',         none],
  ['bytes=-0',            none],
  ['bytes=5-4',           whole],
  ['bytes=-',             whole],
  ['bytes=0-1,5-6',       whole],
  ['bytes=a-b',           whole],
  ['items=0-1',           whole],
  ['bytes=99999999999999999999-', whole],
] as const;

test('a single range is honoured, cut to what there is; anything else gets the whole', () => {
  for (const [range, expected] of cases) assert.deepEqual(selectBytes({ range }, object), expected, range);
});

test('a range meant for other bytes gets the whole', () => {
  const range = 'bytes=5-';
  assert.deepEqual(selectBytes({ range, ifRange: '"now"' }, object), part(5, 999));
  assert.deepEqual(selectBytes({ range, ifRange: '"before"' }, object), whole);
  assert.deepEqual(selectBytes({ range, ifRange: 'Sat, 21 Nov 2026 06:00:00 GMT' }, object), whole);
});

test('of an empty object no range can be had', () => {
  assert.deepEqual(selectBytes({ range: 'bytes=0-' }, { sizeBytes: 0, etag: '""' }), none);
  assert.deepEqual(selectBytes({}, { sizeBytes: 0, etag: '""' }), whole);
});
