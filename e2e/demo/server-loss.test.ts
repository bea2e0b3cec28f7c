import assert from 'node:assert/strict';
import { test } from 'node:test';
import { artifactNameOf, makeArtifact, readDeviceState, startServer } from '@tandem/demo';
import { eventually, group, openSite } from './site.ts';
import { startThrottledProxy, type ThrottledProxy } from './throttled-proxy.ts';

test('a server killed while a device downloads loses nothing: it comes back, and the deployment ends well', async () => {
  let wire: ThrottledProxy | undefined;
  const site = await openSite({
    versions: [2],
    between: async (publicPort, serverPort) => {
      wire = await startThrottledProxy(publicPort, serverPort, 4 << 20);
    },
  });
  try {
    const artifact = await makeArtifact(site.workshop, 2);
    await site.fleet.upload(artifact);
    const before = wire?.passedBytes() ?? 0;
    const deployment = site.fleet.deployToGroup('server lost', artifactNameOf(2), group, {
      timeoutMs: 90_000,
    });
    await eventually('two megabytes have come', () =>
      Promise.resolve((wire?.passedBytes() ?? 0) - before > 2 << 20),
    );
    await site.server.kill();
    site.server = await startServer(site.place);

    const { devices } = await deployment;
    assert.equal(devices[0]?.status, 'success', devices[0]?.log ?? 'no log');
    const state = await readDeviceState(site.device, site.programs);
    assert.equal(state.bootPartition, 3);
    assert.equal(state.activeVersion, '2');
  } finally {
    await site.close();
    wire?.close();
  }
});
