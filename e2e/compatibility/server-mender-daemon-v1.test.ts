import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { debianProgram } from './debian-programs.ts';
import { makeModuleArtifact } from './module-artifact.ts';
import { openServerSite, type ServerSite } from './server-site.ts';
import { makeStockDevice, stockDeviceType, type StockDevice } from './stock-device.ts';

/** Debian's `mender` 3.4 on a server that, as Mender's open edition, does not know version 2 of `next`. */

debianProgram('mender');
let site: ServerSite;
let device: StockDevice;
let id: string;

before(async () => {
  // A setting of the server, which inherits the environment of this process.
  process.env['TANDEM_NEXT_V1_ONLY'] = 'true';
  site = await openServerSite();
  device = await makeStockDevice({
    directory: join(site.directory, 'device'),
    serverUrl: site.url,
    serverCertificate: site.authority,
  });
  await device.start();
});
after(async () => {
  await device.stop();
  await site.close();
});

async function deploy(name: string, deviceType: string) {
  const artifact = await makeModuleArtifact(join(site.directory, 'workshop'), {
    name,
    module: 'script',
    files: { 'install.sh': '#!/bin/sh\n' },
    deviceType,
  });
  await site.operator.upload(artifact);
  const deployment = await site.operator.deploy(name, id);
  return site.operator.outcome(deployment, id);
}

test('the client falls back to version 1, and gets what is for it and nothing else', async () => {
  id = await site.operator.accept(device.mac);
  assert.equal(await deploy('script-1', stockDeviceType), 'success');
  assert.equal(await deploy('script-2', 'other-board'), 'noartifact');
  assert.equal(await deploy('script-3', stockDeviceType), 'success');

  const asked = (await site.answered()).filter(({ path }) => path.endsWith('/next'));
  const answersTo = (version: string) =>
    new Set(
      asked
        .filter(({ path }) => path.startsWith(`/api/devices/${version}/`))
        .map(({ method, status }) => `${method} ${status}`),
    );
  assert.deepEqual(answersTo('v2'), new Set(['POST 404']), 'it tries version 2 first, each time');
  assert.deepEqual(answersTo('v1'), new Set(['POST 200', 'POST 204']));
});
