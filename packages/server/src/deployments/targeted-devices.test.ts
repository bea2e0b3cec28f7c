import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { sortedIds, targetChunks } from './deployment-target.ts';
import { targetedDevices } from './targeted-devices.ts';

test('no deployment is missed for any of many devices, and few others are taken for targeted', () => {
  const targeted = targetedDevices();
  const [older, newer] = [1, 2].map((created) => {
    const ids = Array.from({ length: 20_000 }, () => randomUUID());
    for (const { deviceIds } of targetChunks(sortedIds(ids))) targeted.add(deviceIds, created);
    return ids;
  });
  for (const id of older ?? []) assert.ok(targeted.newestFor(id) >= 1, id);
  for (const id of newer ?? []) assert.equal(targeted.newestFor(id), 2, id);
  const others = Array.from({ length: 20_000 }, () => randomUUID());
  const mistaken = others.filter((id) => targeted.newestFor(id) !== -1);
  // 40,000 of 2^32 keys are taken: one of 20,000 others would share one in five runs.
  assert.ok(mistaken.length < 10, String(mistaken.length));
});

test('the newest deployment for a device counts, whichever was added last', () => {
  const targeted = targetedDevices();
  targeted.add('\na\nb\n', 7);
  targeted.add('\nb\nä\n', 3);
  assert.deepEqual(['a', 'b', 'ä', 'c', ''].map(targeted.newestFor), [7, 7, 3, -1, -1]);
});
