import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { rootfsImage, signerFromPrivateKey, writeArtifactFile } from '@tandem/artifact';
import { buildBundle } from '../../build-bundle.ts';
import { startArtifactServer } from './artifact-server.ts';
import { makeVirtualDevice } from './virtual-device.ts';

/**
 * The whole client as a device runs it: the bundled file, managed mode, two partitions as plain files, U-Boot's environment in two
 * files, and a boot loop that does what U-Boot does. Only the server is a small stand-in.
 */
const directory = await mkdtemp(join(tmpdir(), 'virtual-device-'));
after(() => rm(directory, { recursive: true }));

const program = join(directory, 'mender-update.mjs');
const publicKeyPath = join(directory, 'verify.pem');
const partitionBytes = 5 * 1024 * 1024;
const image = Buffer.concat([randomBytes(3 * 1024 * 1024 + 1000), Buffer.alloc(1024 * 1024)]);
const keys = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const strangerKeys = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

async function packArtifact(name: string, privateKey: string): Promise<Buffer> {
  const path = join(directory, `${name}.mender`);
  const source = { name: 'rootfs.ext4', sizeBytes: image.length, open: () => chunksOf(image) };
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      depends: { deviceTypes: ['virtual'] },
      payload: rootfsImage({ artifactName: 'version-2', image: source }),
    },
    path,
    { compression: 'gzip', signer: signerFromPrivateKey(privateKey) },
  );
  return readFile(path);
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536)
    yield await Promise.resolve(bytes.subarray(at, at + 65_536));
}

async function serverOf(t: TestContext, artifact: Buffer) {
  const server = await startArtifactServer(artifact);
  t.after(server.close);
  return server;
}

const deviceOf = (name: string, serverUrl: string) =>
  makeVirtualDevice({
    home: join(directory, name),
    program,
    serverUrl,
    active: Buffer.alloc(partitionBytes, 'version 1 '),
    inactive: Buffer.alloc(partitionBytes),
    settings: { ArtifactVerifyKey: publicKeyPath },
  });

describe('a device in managed mode', () => {
  let good: Buffer;
  before(async () => {
    await buildBundle(program);
    await writeFile(publicKeyPath, keys.publicKey);
    good = await packArtifact('good', keys.privateKey);
  });

  test('downloads, installs into the other partition, reboots into it and commits', async (t) => {
    const server = await serverOf(t, good);
    const half = Math.floor(good.length / 2);
    server.behaviour.cutAt = half;
    const device = await deviceOf('commits', server.url);
    const done = () => {
      // The first download breaks off halfway.
      if (server.seen.servedBytes >= half) server.behaviour.cutAt = Infinity;
      return server.seen.inventory.includes('version-2');
    };
    const log = await device.boot(done);
    assert.deepEqual(server.seen.statuses, ['downloading', 'installing', 'rebooting'], log);
    assert.equal(server.seen.ranges.length, 2, 'the broken download was taken up again');
    assert.ok(!log.includes('secret'), 'the link is not in the log');

    const written = await readFile(device.partitions[3]);
    assert.ok(written.subarray(0, image.length).equals(image));
    assert.ok(
      (await readFile(device.partitions[2])).equals(device.active),
      'the running partition is untouched',
    );

    const second = await device.boot(done);
    // The second "installing" proves before the commit that the new software reaches the server.
    const expected = ['downloading', 'installing', 'rebooting', 'installing', 'success'];
    assert.deepEqual(server.seen.statuses, expected, second);
    assert.deepEqual(Object.fromEntries(await device.environment.read()), {
      mender_boot_part: '3',
      mender_boot_part_hex: '3',
      upgrade_available: '0',
      bootcount: '1',
    });
    const inventory = JSON.parse(server.seen.inventory) as { name: string; value: string }[];
    const values = Object.fromEntries(inventory.map(({ name, value }) => [name, value]));
    assert.equal(values['device_type'], 'virtual');
    assert.equal(values['artifact_name'], 'version-2');
    assert.equal(values['kernel'], 'virtual');
    assert.equal(values['interval-update-poll-seconds'], '1');
    assert.equal(values['rootfs-image.checksum'], createHash('sha256').update(image).digest('hex'));
  });

  test('that does not come up goes back to what it was, and reports failure with its log', async (t) => {
    const server = await serverOf(t, good);
    const device = await deviceOf('goes-back', server.url);
    await device.boot(() => server.seen.statuses.includes('failure'));
    assert.equal((await device.environment.read()).get('mender_boot_part'), '3');
    await device.bootloader(); // A kernel that hangs: the watchdog bites, and the bootloader has its next turn.
    const finding = await device.boot(() => server.seen.log !== '');
    assert.match(finding, /the bootloader has gone back to the old one/);
    // The rollback ends with a reboot of its own, whoever went back first.
    const log = await device.boot(() => server.seen.log !== '');
    assert.deepEqual(server.seen.statuses, ['downloading', 'installing', 'rebooting', 'failure'], log);
    assert.match(server.seen.log, /the bootloader has gone back to the old one/);
    const variables = await device.environment.read();
    assert.deepEqual([variables.get('mender_boot_part'), variables.get('upgrade_available')], ['2', '0']);
    assert.ok((await readFile(device.partitions[2])).equals(device.active));
  });

  test('refuses an artifact that someone else has signed, and its partitions stay as they are', async (t) => {
    const server = await serverOf(t, await packArtifact('forged', strangerKeys.privateKey));
    const device = await deviceOf('refuses', server.url);
    const log = await device.boot(() => server.seen.log !== '');
    assert.equal(server.seen.statuses.at(-1), 'failure', log);
    assert.match(server.seen.log, /signature/i);
    assert.ok((await readFile(device.partitions[3])).equals(Buffer.alloc(partitionBytes)));
    assert.ok((await readFile(device.partitions[2])).equals(device.active));
  });
});
