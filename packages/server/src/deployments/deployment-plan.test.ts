import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { defaultTenant, systemActor } from '../actor.ts';
import { startWholeServer } from '../testing/whole-server.ts';
import { planDeployment } from './deployment-plan.ts';
import type { WantedDeployment } from './new-deployment.ts';
import type { DeployableArtifact } from './next-update.ts';

const artifact: DeployableArtifact = {
  id: randomUUID(),
  name: 'release-2',
  deviceTypes: ['raspberrypi4'],
  sizeBytes: 1,
  depends: { device_type: ['raspberrypi4'] },
};

it('a plan whose reading fails is refused, and the server goes on', async () => {
  await using server = await startWholeServer();
  const gone = new Error('the caller is gone');
  let reads = 0;
  const plan = planDeployment({
    database: server.database,
    acceptedDevices: async () => [],
    devicesInGroup: async () => [],
    groupOfDevice: async () => null,
    artifactsNamed: async () => [
      { id: 'a', name: 'release-2', depends: {} } as unknown as DeployableArtifact,
    ],
    // The second thousand fails while the first is still looked at: nobody waits for it yet.
    reportedTexts: async () => {
      reads += 1;
      if (reads > 1) throw gone;
      return new Map();
    },
  });
  const ids = Array.from({ length: 1500 }, () => randomUUID());
  const wanted: WantedDeployment = {
    name: 'to all of them',
    artifactName: artifact.name,
    forceInstallation: false,
    devices: { kind: 'list', ids },
  };
  await assert.rejects(
    plan(
      systemActor(defaultTenant, 'test'),
      wanted,
      { page: 1, perPage: 20, offset: 0 },
      new AbortController().signal,
    ),
    gone,
  );
  await turn();
  assert.equal((await server.request('GET', '/health')).status, 200);
});
