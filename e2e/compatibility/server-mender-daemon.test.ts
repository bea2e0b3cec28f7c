import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { debianProgram } from './debian-programs.ts';
import { closeGate, exists, gateScript } from './gate.ts';
import { makeModuleArtifact, singleFile, wholeDirectory, type ModuleArtifact } from './module-artifact.ts';
import { openServerSite, type ServerSite } from './server-site.ts';
import {
  factoryArtifact,
  makeStockDevice,
  stockDeviceType,
  type StockDevice,
  type StockDeviceOptions,
} from './stock-device.ts';
import { until } from './until.ts';

/**
 * Debian's own `mender` 3.4 as a daemon on our server: HTTPS with our authority, Debian's update modules, artifacts written by
 * our `mender-artifact`. Slow by nature: after a cut download the client waits a full minute before it asks for the rest.
 */

const mender = debianProgram('mender');
let site: ServerSite;
const devices: StockDevice[] = [];

before(async () => {
  site = await openServerSite();
});
after(async () => {
  for (const device of devices) await device.stop();
  await site.close();
});

async function startDevice(
  name: string,
  options: Partial<StockDeviceOptions> = { serverCertificate: site.authority },
): Promise<StockDevice> {
  const directory = join(site.directory, name);
  const device = await makeStockDevice({ directory, serverUrl: site.url, ...options });
  devices.push(device);
  await device.start();
  return device;
}

async function upload(artifact: ModuleArtifact): Promise<void> {
  await site.operator.upload(await makeModuleArtifact(join(site.directory, 'workshop'), artifact));
}

/** Uploads and deploys; returns how it ended for the device. */
async function deploy(artifact: ModuleArtifact, deviceId: string) {
  await upload(artifact);
  const deployment = await site.operator.deploy(artifact.name, deviceId);
  return { deployment, status: await site.operator.outcome(deployment, deviceId) };
}

const inventoryShows = (deviceId: string, name: string, value: string): Promise<unknown> =>
  until(`the inventory shows ${name}=${value}`, async () => {
    const inventory = await site.operator.inventory(deviceId);
    return inventory[name] === value ? inventory : undefined;
  });

const emptyScript = (name: string): ModuleArtifact => ({
  name,
  module: 'script',
  files: { 'install.sh': '#!/bin/sh\n' },
});

/** How the server answered what the device reported of a deployment. */
async function answersTo(deployment: string, resource: 'status' | 'log'): Promise<number[]> {
  const end = `/deployments/${deployment}/${resource}`;
  const answered = await site.answered();
  return answered
    .filter(({ method, path }) => method === 'PUT' && path.startsWith('/api/devices/') && path.endsWith(end))
    .map(({ status }) => status);
}

/** The operator sees a report before it is answered: the answer is waited for. */
const firstAnswersTo = (deployment: string, resource: 'status' | 'log'): Promise<number[]> =>
  until(`a report of ${resource} is answered`, async () => {
    const answered = await answersTo(deployment, resource);
    return answered.length > 0 ? answered : undefined;
  });

const hearsOfAbort = (deployment: string): Promise<unknown> =>
  until('the client has heard of the abort', async () =>
    (await answersTo(deployment, 'status')).includes(409) ? true : undefined,
  );

test('the program is Debian’s, of version 3.4', () => {
  const printed = execFileSync(mender.path, ['--version'], { encoding: 'utf8' });
  assert.match(printed, /^3\.4\./);
  assert.ok(printed.startsWith(mender.version), printed);
});

describe('mender 3.4 on our server', { concurrency: true }, () => {
  describe('through the life of a device', { concurrency: 1 }, () => {
    let device: StockDevice;
    let id: string;
    before(async () => {
      device = await startDevice('device');
    });

    test('it waits while pending, is let in once accepted, shut out once rejected', async () => {
      const { status } = await site.operator.knocking(device.mac);
      assert.equal(status, 'pending');
      await until('the client says so', async () =>
        /authentication request rejected/.test(await device.log()) ? true : undefined,
      );
      id = await site.operator.accept(device.mac);
      await inventoryShows(id, 'artifact_name', factoryArtifact);

      await site.operator.reject(device.mac);
      const refusals = (text: string) => text.match(/authentication request rejected/g)?.length ?? 0;
      const before = refusals(await device.log());
      await until('the client is shut out', async () =>
        refusals(await device.log()) > before ? true : undefined,
      );
      assert.equal(await site.operator.accept(device.mac), id, 'it is the same device');
      await until('the client is let in again', async () =>
        (await device.log()).lastIndexOf('Reauthorization successful') >
        (await device.log()).lastIndexOf('authentication request rejected')
          ? true
          : undefined,
      );
    });

    test('its inventory arrives, lists included', async () => {
      assert.deepEqual(await site.operator.inventory(id), {
        artifact_name: factoryArtifact,
        board: 'rev-b',
        device_type: stockDeviceType,
        mender_client_version: mender.version,
        port: ['eth0', 'eth1'],
      });
    });

    test('a script is run and its success reported', async () => {
      const files = { 'install.sh': `#!/bin/sh\necho installed > ${device.files}/script\n` };
      const { deployment, status } = await deploy({ name: 'script-1', module: 'script', files }, id);
      assert.equal(status, 'success');
      assert.equal(await readFile(join(device.files, 'script'), 'utf8'), 'installed\n');
      await inventoryShows(id, 'artifact_name', 'script-1');
      const { statistics } = await site.operator.deployment(deployment);
      assert.equal(statistics.status.success, 1);
      assert.deepEqual(new Set(await answersTo(deployment, 'status')), new Set([204]));
      assert.deepEqual(await answersTo(deployment, 'log'), [], 'a log comes of failures alone');
    });

    test('a single file arrives with its mode', async () => {
      const content = randomBytes(100_000);
      const files = singleFile('firmware.bin', content, join(device.files, 'firmware'));
      const { status } = await deploy({ name: 'file-1', module: 'single-file', files }, id);
      assert.equal(status, 'success');
      const path = join(device.files, 'firmware', 'firmware.bin');
      assert.deepEqual(await readFile(path), content);
      assert.equal((await stat(path)).mode & 0o777, 0o640);
    });

    test('a directory replaces what was there', async () => {
      const tree = join(site.directory, 'tree');
      await mkdir(join(tree, 'deep'), { recursive: true });
      await writeFile(join(tree, 'deep', 'page.html'), 'new');
      const target = join(device.files, 'pages');
      await mkdir(target);
      await writeFile(join(target, 'old.html'), 'old');
      const files = wholeDirectory(tree, target);
      const { status } = await deploy({ name: 'pages-1', module: 'directory', files }, id);
      assert.equal(status, 'success');
      assert.deepEqual((await readdir(target, { recursive: true })).toSorted(), ['deep', 'deep/page.html']);
    });

    test('a commit that a state script forbids is rolled back, and the log tells why', async () => {
      const path = join(device.files, 'firmware', 'firmware.bin');
      const old = await readFile(path);
      const artifact: ModuleArtifact = {
        name: 'file-2',
        module: 'single-file',
        files: singleFile('firmware.bin', 'a bad one', join(device.files, 'firmware')),
        stateScripts: { ArtifactCommit_Enter_00_check: '#!/bin/sh\necho "the valve is stuck" >&2\nexit 1\n' },
      };
      const { deployment, status } = await deploy(artifact, id);
      assert.equal(status, 'failure');
      assert.deepEqual(await readFile(path), old);
      await inventoryShows(id, 'artifact_name', 'pages-1');
      assert.match(await site.operator.deviceLog(deployment, id), /the valve is stuck/);
      assert.deepEqual(await firstAnswersTo(deployment, 'log'), [204]);
    });

    test('a script that fails is a failure with its log, and the next deployment puts it right', async () => {
      const bad: ModuleArtifact = {
        name: 'script-bad',
        module: 'script',
        files: { 'install.sh': '#!/bin/sh\necho "no space in the attic" >&2\nexit 3\n' },
      };
      const { deployment, status } = await deploy(bad, id);
      assert.equal(status, 'failure');
      assert.match(await site.operator.deviceLog(deployment, id), /no space in the attic/);
      await inventoryShows(id, 'artifact_name', 'script-bad_INCONSISTENT');

      assert.equal((await deploy(emptyScript('script-2'), id)).status, 'success');
      await inventoryShows(id, 'artifact_name', 'script-2');
    });

    test('an artifact for other hardware is not offered', async () => {
      const files = { 'install.sh': `#!/bin/sh\necho wrong > ${device.files}/wrong\n` };
      const artifact = { name: 'other-1', module: 'script', files, deviceType: 'other-board' } as const;
      const { deployment, status } = await deploy(artifact, id);
      assert.equal(status, 'noartifact');
      assert.deepEqual(await answersTo(deployment, 'status'), [], 'the device never heard of it');
      assert.ok(!(await exists(join(device.files, 'wrong'))));
    });

    test('an artifact that depends on what the device provides reaches it, and no other', async () => {
      const onFile = (version: string) => `rootfs-image.single-file.version:${version}`;
      const wrong = await deploy({ ...emptyScript('update-1'), depends: onFile('file-0') }, id);
      assert.equal(wrong.status, 'noartifact');
      const right = await deploy({ ...emptyScript('update-2'), depends: onFile('file-1') }, id);
      assert.equal(right.status, 'success');
      assert.equal((await deploy(emptyScript('script-3'), id)).status, 'success');
    });

    test('the artifact it already has is not installed again: the server sees it', async () => {
      const deployment = await site.operator.deploy('script-3', id);
      assert.equal(await site.operator.outcome(deployment, id), 'already-installed');
      assert.deepEqual(await answersTo(deployment, 'status'), []);
    });

    test('the artifact it already has is not installed again: the client says so when it is forced', async () => {
      const deployment = await site.operator.deploy('script-3', id, { force: true });
      assert.equal(await site.operator.outcome(deployment, id), 'already-installed');
      assert.deepEqual(await firstAnswersTo(deployment, 'status'), [204]);
    });

    test('a deployment aborted during the download is not installed', async () => {
      const gate = await device.holdAfterDownload();
      const files = { 'install.sh': `#!/bin/sh\necho installed > ${device.files}/aborted\n` };
      await upload({ name: 'aborted-1', module: 'script', files });
      const deployment = await site.operator.deploy('aborted-1', id);
      await gate.reached();
      assert.equal(await site.operator.status(deployment, id), 'downloading');
      await site.operator.abort(deployment);
      await gate.open();
      await hearsOfAbort(deployment);
      assert.equal(await site.operator.status(deployment, id), 'aborted');

      assert.equal((await deploy(emptyScript('script-4'), id)).status, 'success', 'it is free for the next');
      assert.ok(!(await exists(join(device.files, 'aborted'))), 'nothing was installed');
      assert.equal(await site.operator.status(deployment, id), 'aborted', 'and stays so');
    });

    test('a deployment aborted after the installation is rolled back', async () => {
      const path = join(device.files, 'firmware', 'firmware.bin');
      const old = await readFile(path);
      const gate = await closeGate(join(device.files, 'gate'));
      await upload({
        name: 'aborted-2',
        module: 'single-file',
        files: singleFile('firmware.bin', 'aborted', join(device.files, 'firmware')),
        stateScripts: { ArtifactInstall_Leave_00_gate: gateScript(join(device.files, 'gate')) },
      });
      const deployment = await site.operator.deploy('aborted-2', id);
      await gate.reached();
      assert.equal(await readFile(path, 'utf8'), 'aborted');
      assert.equal(await site.operator.status(deployment, id), 'installing');
      await site.operator.abort(deployment);
      await gate.open();
      await hearsOfAbort(deployment);
      assert.equal((await deploy(emptyScript('script-5'), id)).status, 'success');
      assert.deepEqual(await readFile(path), old);
      assert.equal(await site.operator.status(deployment, id), 'aborted');
    });

    test('it goes on with its key after a restart', async () => {
      await device.stop();
      await device.start();
      assert.equal((await deploy(emptyScript('script-6'), id)).status, 'success');
      const known = await site.operator.device(device.mac);
      assert.equal(known?.id, id);
      assert.equal(known.auth_sets?.length, 1);
    });
  });

  describe('with a key that artifacts must be signed with', { concurrency: 1 }, () => {
    let device: StockDevice;
    let id: string;
    let signingKey: string;
    before(async () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      signingKey = join(site.directory, 'signing.pem');
      const artifactVerifyKey = join(site.directory, 'verify.pem');
      await writeFile(signingKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      await writeFile(artifactVerifyKey, publicKey.export({ type: 'spki', format: 'pem' }));
      device = await startDevice('careful', { serverCertificate: site.authority, artifactVerifyKey });
      id = await site.operator.accept(device.mac);
    });

    for (const compression of ['none', 'gzip', 'lzma'] as const) {
      test(`it installs what we signed, compressed by ${compression}`, async () => {
        const name = `signed-${compression}`;
        const content = 'much of the same '.repeat(20_000);
        const files = singleFile('signed.txt', content, device.files);
        const artifact = { name, module: 'single-file', files, compression, signingKey } as const;
        assert.equal((await deploy(artifact, id)).status, 'success');
        assert.equal(await readFile(join(device.files, 'signed.txt'), 'utf8'), content);
      });
    }

    test('it reports what it cannot read: it knows no zstd', async () => {
      const artifact = { ...emptyScript('signed-zstd'), compression: 'zstd', signingKey } as const;
      const { deployment, status } = await deploy(artifact, id);
      assert.equal(status, 'failure');
      assert.match(await site.operator.deviceLog(deployment, id), /header\.tar\.zst/);
    });

    test('it refuses what nobody signed, and says so', async () => {
      const { deployment, status } = await deploy(emptyScript('unsigned-1'), id);
      assert.equal(status, 'failure');
      assert.match(await site.operator.deviceLog(deployment, id), /signature/);
    });
  });

  test('a download that is cut is resumed where it broke off', async () => {
    const device = await startDevice('cut-off');
    const id = await site.operator.accept(device.mac);
    const content = randomBytes(6 << 20);
    const cutAt = 2 << 20;
    await upload({
      name: 'large-1',
      module: 'single-file',
      files: singleFile('image.bin', content, device.files),
    });
    site.wire.cutAfter(cutAt);
    const deployment = await site.operator.deploy('large-1', id);
    assert.equal(await site.operator.outcome(deployment, id, 100_000), 'success');
    assert.equal(site.wire.cuts(), 1);
    const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    assert.equal(sum(await readFile(join(device.files, 'image.bin'))), sum(content));
    const storage = (await site.answered()).filter(({ path }) => path.startsWith('/storage/'));
    assert.equal(storage.filter(({ status }) => status === 206).length, 1, 'asked for the rest, once');
    assert.ok(site.wire.mostOnOneConnection() < content.length, 'and got no more than that');
  });

  test('a link is enough for an installation by hand', async () => {
    const device = await makeStockDevice({
      directory: join(site.directory, 'by-hand'),
      serverUrl: site.url,
      serverCertificate: site.authority,
    });
    const files = { 'install.sh': `#!/bin/sh\necho installed > ${device.files}/script\n` };
    await upload({ name: 'by-hand-1', module: 'script', files });
    await device.run('install', await site.operator.downloadLink('by-hand-1'));
    assert.equal(await readFile(join(device.files, 'script'), 'utf8'), 'installed\n');
    assert.match(await device.run('show-artifact'), /^by-hand-1$/m);
  });

  test('a client that does not know our authority sends nothing', async () => {
    const device = await startDevice('mistrustful', {});
    await until('it says why', async () =>
      /not a valid certificate, openssl verify rc: \d+/.test(await device.log()) ? true : undefined,
    );
    assert.equal(await site.operator.device(device.mac), undefined);
  });
});
