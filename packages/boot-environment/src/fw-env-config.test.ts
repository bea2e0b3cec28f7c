import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFwEnvConfig } from './index.ts';

test('a configuration names device, offset and size of each copy, in the numbers C understands', () => {
  const text = [
    '# where the environment lies',
    '',
    '/dev/mmcblk0\t0x800000   0x20000',
    '/dev/mmcblk0 8519680 0400000 # the second',
    '/dev/mtd1 -0x20000 0x4000 0x4000 2',
  ].join('\r\n');
  assert.deepEqual(parseFwEnvConfig(text), [
    { path: '/dev/mmcblk0', offsetBytes: 0x800000, sizeBytes: 0x20000 },
    { path: '/dev/mmcblk0', offsetBytes: 8519680, sizeBytes: 0x20000 },
    { path: '/dev/mtd1', offsetBytes: -0x20000, sizeBytes: 0x4000 },
  ]);
  assert.deepEqual(parseFwEnvConfig('# nothing\n'), []);
});

test('a line that cannot be understood is named, not skipped', () => {
  for (const line of [
    '/dev/x',
    '/dev/x 0x0',
    '/dev/x zero 0x4000',
    '/dev/x 0 0',
    '/dev/x 0 99999999999999999999',
  ]) {
    assert.throws(() => parseFwEnvConfig(`# first\n${line}\n`), {
      code: 'badConfiguration',
      message: /line 2/,
    });
  }
});
