import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideBoot, factoryEnvironment } from './bootloader.ts';

const rows = [
  { name: 'a device from the factory boots A', set: {}, partition: 2, reason: 'normal', changes: {} },
  {
    name: 'a committed update keeps booting B',
    set: { mender_boot_part: '3', bootcount: '1' },
    partition: 3,
    reason: 'normal',
    changes: {},
  },
  {
    name: 'the first boot of an update is a trial and is counted',
    set: { mender_boot_part: '3', upgrade_available: '1' },
    partition: 3,
    reason: 'trial',
    changes: { bootcount: '1' },
  },
  {
    name: 'a second boot without commit goes back to the old partition',
    set: { mender_boot_part: '3', upgrade_available: '1', bootcount: '1' },
    partition: 2,
    reason: 'rolledBack',
    changes: { bootcount: '2', mender_boot_part: '2', mender_boot_part_hex: '2', upgrade_available: '0' },
  },
  {
    name: 'going back works from A to B as well',
    set: { mender_boot_part: '2', upgrade_available: '1', bootcount: '7' },
    partition: 3,
    reason: 'rolledBack',
    changes: { bootcount: '8', mender_boot_part: '3', mender_boot_part_hex: '3', upgrade_available: '0' },
  },
] as const;

for (const row of rows) {
  test(row.name, () => {
    const environment = new Map(Object.entries({ ...factoryEnvironment, ...row.set }));
    const { partition, reason, changes } = decideBoot(environment);
    assert.deepEqual(
      { partition, reason, changes },
      { partition: row.partition, reason: row.reason, changes: row.changes },
    );
  });
}

test('a partition number that is no root partition is refused by name', () => {
  assert.throws(() => decideBoot(new Map([['mender_boot_part', '7']])), /mender_boot_part is "7"/);
});
