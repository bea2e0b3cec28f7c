import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from './retry-after.ts';

test('Retry-After is seconds or a date, at most a day, and nothing else', () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(retryAfterMs('0', now), 0);
  assert.equal(retryAfterMs('999999999', now), 86_400_000);
  assert.equal(retryAfterMs('Wed, 31 Dec 2025 23:00:00 GMT', now), 0);
  for (const other of [undefined, '', '-1', '1.5', 'soon', '2026-01-01T00:00:00Z']) {
    assert.equal(retryAfterMs(other, now), undefined);
  }
});
