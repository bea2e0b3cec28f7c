import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { artifactNameOf, makeArtifact, readDeviceState } from '@tandem/demo';
import { group, openMigrationSite } from './migration-site.ts';
import { until } from './until.ts';

/** A device moves from Debian's `mender` 3.4 to our client by an update of its root file system. */
const inTime = { timeoutMs: 120_000 };

describe('an image with our client, installed by Mender 3.4', () => {
  test('goes on with the deployment, commits it, and reports success; key and database are used as they are', async () => {
    const site = await openMigrationSite([2]);
    try {
      const { fleet, device } = site;
      const key = await readFile(join(device.dataStore, 'mender-agent.pem'));
      assert.equal(await fleet.reportedArtifact('device'), artifactNameOf(1));
      await fleet.upload(await makeArtifact(site.workshop, 2));

      const { devices } = await fleet.deployToGroup('move over', artifactNameOf(2), group, inTime);
      assert.equal(devices[0]?.status, 'success', await readFile(device.consoleLog, 'utf8'));
      assert.deepEqual(await readDeviceState(device, site.programs), {
        name: 'device',
        bootPartition: 3,
        upgradeAvailable: '0',
        activeVersion: '2',
        inactiveVersion: '1',
      });
      // The same device to the server: it was not asked for a second key, and its inventory goes on.
      await until('the new software is in the inventory', async () =>
        (await fleet.reportedArtifact('device')) === artifactNameOf(2) ? true : undefined,
      );
      assert.deepEqual(await readFile(join(device.dataStore, 'mender-agent.pem')), key);
      assert.deepEqual(
        await readFile(join(device.dataStore, 'mender-store')),
        await readFile(site.storeAtFirstBootOfOurs),
      );
      assert.deepEqual(
        (await site.boots()).map(({ client }) => client),
        ['mender', 'ours'],
      );
    } finally {
      await site.close();
    }
  });

  test('that is not well gives the device back: Mender finds its database as it was, reports failure, and can try again', async () => {
    const site = await openMigrationSite([2, 3]);
    try {
      const { fleet, device } = site;
      await fleet.upload(await makeArtifact(site.workshop, 3));
      await fleet.upload(await makeArtifact(site.workshop, 2));

      const { devices } = await fleet.deployToGroup('not well', artifactNameOf(3), group, inTime);
      assert.equal(devices[0]?.status, 'failure');
      const state = await readDeviceState(device, site.programs);
      assert.equal(state.activeVersion, '1');
      assert.equal(state.upgradeAvailable, '0');
      const [first, ours, back] = await site.boots();
      assert.deepEqual([first?.client, ours?.client, back?.client], ['mender', 'ours', 'mender']);
      assert.equal(back?.store, ours?.store, 'the database is as Mender left it');
      assert.equal(await fleet.reportedArtifact('device'), artifactNameOf(1));

      // What our client wrote down of the attempt that failed does not stand in the way of the next.
      const again = await fleet.deployToGroup('well', artifactNameOf(2), group, inTime);
      assert.equal(again.devices[0]?.status, 'success', await readFile(device.consoleLog, 'utf8'));
      assert.equal((await readDeviceState(device, site.programs)).activeVersion, '2');
    } finally {
      await site.close();
    }
  });
});
