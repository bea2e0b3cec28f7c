import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { rootfsImage, signerFromPrivateKey, writeArtifactFile } from '@tandem/artifact';
import { buildBundle } from '../../build-bundle.ts';
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

async function packArtifact(name: string, privateKey: string): Promise<string> {
  const path = join(directory, `${name}.mender`);
  const source = { name: 'rootfs.ext4', sizeBytes: image.length, open: () => chunksOf(image) };
  await writeArtifactFile(
    {
      artifactName: name,
      depends: { deviceTypes: ['virtual'] },
      payload: rootfsImage({ artifactName: name, image: source }),
    },
    path,
    { compression: 'gzip', signer: signerFromPrivateKey(privateKey) },
  );
  return path;
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536)
    yield await Promise.resolve(bytes.subarray(at, at + 65_536));
}

/** A server that accepts the device and offers one deployment until it has ended; the first download breaks off halfway. */
async function standInServer(artifact: string, artifactName: string) {
  const seen = { statuses: [] as string[], log: '', inventory: '', ranges: [] as (string | undefined)[] };
  const size = (await stat(artifact)).size;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const path = request.url ?? '';
      const over = seen.statuses.some((status) => status === 'success' || status === 'failure');
      if (path.endsWith('/auth_requests')) response.end('a.token');
      else if (path.endsWith('/inventory/device/attributes')) {
        seen.inventory = body;
        response.end();
      } else if (path.endsWith('/deployments/next')) {
        if (over) response.writeHead(204).end();
        else {
          const source = {
            uri: `http://${request.headers.host}/artifact?secret`,
            expire: '2099-01-01T00:00:00Z',
          };
          const offered = { artifact_name: artifactName, device_types_compatible: ['virtual'], source };
          response.end(JSON.stringify({ id: 'deployment-1', artifact: offered }));
        }
      } else if (path.endsWith('/deployment-1/status')) {
        seen.statuses.push((JSON.parse(body) as { status: string }).status);
        response.writeHead(204).end();
      } else if (path.endsWith('/deployment-1/log')) {
        seen.log = body;
        response.writeHead(204).end();
      } else if (path.startsWith('/artifact?secret')) {
        seen.ranges.push(request.headers.range);
        const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? '0');
        response.writeHead(start === 0 ? 200 : 206, {
          'Content-Length': size - start,
          ...(start === 0 ? {} : { 'Content-Range': `bytes ${start}-${size - 1}/${size}` }),
        });
        const end = seen.ranges.length === 1 ? Math.floor(size / 2) : size - 1;
        createReadStream(artifact, { start, end })
          .on('end', () => seen.ranges.length === 1 && setTimeout(() => response.destroy(), 50))
          .pipe(response, { end: end === size - 1 });
      } else response.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
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
  let good: string;
  before(async () => {
    await buildBundle(program);
    await writeFile(publicKeyPath, keys.publicKey);
    good = await packArtifact('version-2', keys.privateKey);
  });

  test('downloads, installs into the other partition, reboots into it and commits', async () => {
    const server = await standInServer(good, 'version-2');
    const device = await deviceOf('commits', server.url);
    const done = () => server.seen.inventory.includes('version-2');
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

  test('that does not come up goes back to what it was, and reports failure with its log', async () => {
    const server = await standInServer(good, 'version-2');
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

  test('refuses an artifact that someone else has signed, and its partitions stay as they are', async () => {
    const server = await standInServer(await packArtifact('forged', strangerKeys.privateKey), 'forged');
    const device = await deviceOf('refuses', server.url);
    const log = await device.boot(() => server.seen.log !== '');
    assert.equal(server.seen.statuses.at(-1), 'failure', log);
    assert.match(server.seen.log, /signature/i);
    assert.ok((await readFile(device.partitions[3])).equals(Buffer.alloc(partitionBytes)));
    assert.ok((await readFile(device.partitions[2])).equals(device.active));
  });
});
