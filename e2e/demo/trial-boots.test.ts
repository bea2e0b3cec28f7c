import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { artifactNameOf, makeArtifact, partitionPath, readDeviceState } from '@tandem/demo';
import { group, openSite } from './site.ts';

const oldSoftware = { bootPartition: 2, upgradeAvailable: '0', activeVersion: '1' } as const;

test('one byte flipped in the written image makes the device go back to its old software and say so', async () => {
  let flipped = 0;
  const site = await openSite({
    versions: [2],
    beforeBoot: async (device, partition) => {
      if (partition !== 3 || flipped > 0) return;
      const path = partitionPath(device, partition);
      const position = (await readFile(path)).indexOf('PRETTY_NAME="Tandem demo 2"');
      assert.ok(position > 0, 'the file is in the image');
      const image = await open(path, 'r+');
      await image.write('p', position);
      await image.close();
      flipped += 1;
    },
  });
  try {
    await site.fleet.upload(await makeArtifact(site.workshop, 2));
    const { devices } = await site.fleet.deployToGroup('damaged', artifactNameOf(2), group, {
      timeoutMs: 60_000,
    });
    assert.equal(flipped, 1);
    assert.equal(devices[0]?.status, 'failure');
    assert.match(devices[0].log ?? '', /files differ from what was built/);
    const { bootPartition, upgradeAvailable, activeVersion } = await readDeviceState(
      site.device,
      site.programs,
    );
    assert.deepEqual({ bootPartition, upgradeAvailable, activeVersion }, oldSoftware);
  } finally {
    await site.close();
  }
});

test('software that does not even start is taken back by the bootloader, and the device says so', async () => {
  const site = await openSite({ versions: [4] });
  try {
    await site.fleet.upload(await makeArtifact(site.workshop, 4));
    const { devices } = await site.fleet.deployToGroup('panics', artifactNameOf(4), group, {
      timeoutMs: 60_000,
    });
    assert.equal(devices[0]?.status, 'failure');
    const { bootPartition, upgradeAvailable, activeVersion } = await readDeviceState(
      site.device,
      site.programs,
    );
    assert.deepEqual({ bootPartition, upgradeAvailable, activeVersion }, oldSoftware);
    const kinds = site.events.map((event) =>
      event.kind === 'booted' || event.kind === 'panicked'
        ? `${event.kind} ${event.decision.reason}`
        : event.kind,
    );
    // The client, back on the old software, makes its rollback complete with a reboot of its own.
    assert.deepEqual(kinds, [
      'booted normal',
      'rebooting',
      'panicked trial',
      'booted rolledBack',
      'rebooting',
      'booted normal',
    ]);
  } finally {
    await site.close();
  }
});
