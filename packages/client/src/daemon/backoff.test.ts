import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newBackoff } from './backoff.ts';

describe('waiting times', () => {
  // prettier-ignore
  const rows = [
    { longestS: 300, count: 0,  expect: [60, 60, 60, 120, 120, 120, 240, 240, 240, 300, 300, 300] },
    { longestS: 60,  count: 0,  expect: [60, 60, 60] },
    { longestS: 20,  count: 0,  expect: [20, 20, 20] },
    { longestS: 120, count: 8,  expect: [60, 60, 60, 120, 120, 120, 120, 120] },
    { longestS: 300, count: 2,  expect: [60, 60] },
  ];
  for (const { longestS, count, expect } of rows) {
    test(`at most ${longestS} s, count ${count}: ${expect.join(' ')}, then given up`, () => {
      const backoff = newBackoff({ longestMs: longestS * 1000, count });
      assert.deepEqual(
        expect.map(() => backoff.nextWaitMs()),
        expect.map((seconds) => seconds * 1000),
      );
      assert.equal(backoff.nextWaitMs(), 'giveUp');
      backoff.reset();
      assert.equal(backoff.nextWaitMs(), (expect[0] ?? 0) * 1000);
    });
  }
});
