import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { rootfsImage, signerFromPrivateKey, writeArtifactFile } from '@tandem/artifact';
import { createUBootEnvironment, uBootEnvironment } from '@tandem/boot-environment';
import { buildBundle } from '../../build-bundle.ts';

/**
 * The whole client as a device runs it: the bundled file, managed mode, two partitions as plain files, U-Boot's environment in two
 * files, and a boot loop that does what U-Boot does. Only the server is a small stand-in.
 */
const directory = await mkdtemp(join(tmpdir(), 'virtual-device-'));
after(() => rm(directory, { recursive: true }));

const program = join(directory, 'mender-update.mjs');
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

async function virtualDevice(name: string, serverUrl: string) {
  const home = join(directory, name);
  const at = (...parts: string[]) => join(home, ...parts);
  for (const made of ['etc', 'share/identity', 'share/inventory', 'data/mender', 'bin'])
    await mkdir(at(made), { recursive: true });
  const partitions = { 2: at('mmcblk0p2'), 3: at('mmcblk0p3') } as const;
  const active = Buffer.alloc(partitionBytes, 'version 1 ');
  await writeFile(partitions[2], active);
  await writeFile(partitions[3], Buffer.alloc(partitionBytes));
  const copies = [
    { path: at('uboot-1'), offsetBytes: 0, sizeBytes: 4096 },
    { path: at('uboot-2'), offsetBytes: 0, sizeBytes: 4096 },
  ] as const;
  await createUBootEnvironment(copies, {
    mender_boot_part: '2',
    mender_boot_part_hex: '2',
    upgrade_available: '0',
    bootcount: '0',
  });
  const config = (value: unknown) => JSON.stringify(value);
  await writeFile(at('fw_env.config'), copies.map(({ path }) => `${path} 0x0 0x1000\n`).join(''));
  await writeFile(at('verify.pem'), keys.publicKey);
  await writeFile(
    at('etc/mender.conf'),
    config({
      ServerURL: serverUrl,
      ArtifactVerifyKey: at('verify.pem'),
      UpdatePollIntervalSeconds: 1,
      InventoryPollIntervalSeconds: 1,
      RetryPollIntervalSeconds: 1,
    }),
  );
  await writeFile(
    at('data/mender/mender.conf'),
    config({ RootfsPartA: partitions[2], RootfsPartB: partitions[3], BootEnvironment: 'u-boot' }),
  );
  await writeFile(at('data/mender/device_type'), 'device_type=virtual\n');
  const script = (path: string, text: string) => writeFile(at(path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await script('share/identity/mender-device-identity', `echo mac=${name}`);
  await script('share/inventory/mender-inventory-kernel', 'echo kernel=virtual');
  await script('bin/reboot', `touch ${at('rebooting')}; kill -9 $(cat ${at('client.pid')})`);

  const environment = uBootEnvironment(copies);
  /** What U-Boot does: count a trial boot, and go back after the first that was not committed. */
  const bootloader = async () => {
    const variables = await environment.read();
    const onTrial = variables.get('upgrade_available') === '1';
    if (onTrial && Number(variables.get('bootcount')) >= 1) {
      const part = variables.get('mender_boot_part') === '2' ? '3' : '2';
      await environment.write({ mender_boot_part: part, mender_boot_part_hex: part, upgrade_available: '0' });
    } else if (onTrial) await environment.write({ bootcount: '1' });
    const part = (await environment.read()).get('mender_boot_part') === '3' ? 3 : 2;
    await writeFile(at('cmdline'), `console=ttyS0 root=${partitions[part]} rw\n`);
  };

  /** Boots and runs the client until it reboots, ends by itself, or `enough` says so; gives its log. */
  const boot = async (enough: () => boolean): Promise<string> => {
    await bootloader();
    await rm(at('rebooting'), { force: true });
    const client = spawn(process.execPath, [program, 'daemon'], {
      env: {
        PATH: `${at('bin')}:${process.env['PATH']}`,
        MENDER_CONF_DIR: at('etc'),
        MENDER_DATA_DIR: at('share'),
        MENDER_DATASTORE_DIR: at('data/mender'),
        TANDEM_KERNEL_COMMAND_LINE: at('cmdline'),
        TANDEM_FW_ENV_CONFIG: at('fw_env.config'),
      },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    await writeFile(at('client.pid'), String(client.pid));
    let log = '';
    client.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const exited = new Promise<void>((resolve) => client.once('close', () => resolve()));
    const watch = setInterval(() => enough() && client.kill('SIGTERM'), 50);
    const tooLong = setTimeout(() => client.kill('SIGKILL'), 30_000);
    await exited;
    clearInterval(watch);
    clearTimeout(tooLong);
    return log;
  };
  return { boot, bootloader, environment, partitions, active, at };
}

describe('a device in managed mode', () => {
  let good: string;
  before(async () => {
    await buildBundle(program);
    good = await packArtifact('version-2', keys.privateKey);
  });

  test('downloads, installs into the other partition, reboots into it and commits', async () => {
    const server = await standInServer(good, 'version-2');
    const device = await virtualDevice('commits', server.url);
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
    assert.equal(values['rootfs-image.checksum'], createHash('sha256').update(image).digest('hex'));
  });

  test('that does not come up goes back to what it was, and reports failure with its log', async () => {
    const server = await standInServer(good, 'version-2');
    const device = await virtualDevice('goes-back', server.url);
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
    const device = await virtualDevice('refuses', server.url);
    const log = await device.boot(() => server.seen.log !== '');
    assert.equal(server.seen.statuses.at(-1), 'failure', log);
    assert.match(server.seen.log, /signature/i);
    assert.ok((await readFile(device.partitions[3])).equals(Buffer.alloc(partitionBytes)));
    assert.ok((await readFile(device.partitions[2])).equals(device.active));
  });
});
