import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import { startStandInServer } from './stand-in-server.ts';
import { until } from './until.ts';

/*
 * Our client behind Debian's tinyproxy, which wants a password: TLS from end to end, with an authority of our own and a certificate
 * of the device.
 */
const tinyproxy = '/usr/bin/tinyproxy';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startTinyproxy(t: TestContext, directory: string) {
  const port = await freePort();
  const log = join(directory, 'tinyproxy.log');
  const config = join(directory, 'tinyproxy.conf');
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 60',
    `LogFile "${log}"`,
    'LogLevel Connect',
    'MaxClients 20',
    'Allow 127.0.0.1',
    'BasicAuth device proxy-secret',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const proxy = spawn(tinyproxy, ['-d', '-c', config], { stdio: 'ignore' });
  t.after(async () => {
    proxy.kill('SIGTERM');
    await once(proxy, 'exit');
  });
  await until('tinyproxy listens', async () => {
    const socket = connect(port, '127.0.0.1');
    const end = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => undefined),
    ]).catch(() => undefined);
    socket.destroy();
    return end;
  });
  return { port, log: () => readFile(log, 'utf8') };
}

async function makeDevice(directory: string, server: Awaited<ReturnType<typeof startStandInServer>>) {
  const at = (...parts: string[]) => join(directory, ...parts);
  const program = at('mender-update.mjs');
  await buildBundle(program);
  await mkdir(at('etc'));
  await mkdir(at('data'));
  await mkdir(at('share/identity'), { recursive: true });
  await writeFile(at('share/identity/mender-device-identity'), '#!/bin/sh\necho mac=a\n', { mode: 0o755 });
  await writeFile(at('data/device_type'), 'device_type=virtual\n');
  await writeFile(at('authority.pem'), server.authority);
  await writeFile(at('device.pem'), server.device.certificate);
  await writeFile(at('device.key'), server.device.key, { mode: 0o600 });
  await writeFile(
    at('etc/mender.conf'),
    JSON.stringify({
      ServerURL: server.url,
      ServerCertificate: at('authority.pem'),
      HttpsClient: { Certificate: at('device.pem'), Key: at('device.key') },
    }),
  );
  return async (environment: Record<string, string>) => {
    const node = process.env['TANDEM_CLIENT_NODE'] ?? process.execPath;
    const client = spawn(node, [program, 'daemon', '--once'], {
      env: {
        PATH: process.env['PATH'],
        MENDER_CONF_DIR: at('etc'),
        MENDER_DATA_DIR: at('share'),
        MENDER_DATASTORE_DIR: at('data'),
        ...environment,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    client.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const [exitCode] = (await once(client, 'close')) as [number];
    return { exitCode, log };
  };
}

test(
  'a device behind tinyproxy authenticates and polls through it, with a certificate of its own',
  { timeout: 120_000 },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'client-proxy-'));
    t.after(() => rm(directory, { recursive: true }));
    const server = await startStandInServer();
    t.after(() => server.close());
    const proxy = await startTinyproxy(t, directory);
    const runOnce = await makeDevice(directory, server);

    const wrong = await runOnce({ https_proxy: `http://device:wrong@127.0.0.1:${proxy.port}` });
    assert.equal(wrong.exitCode, 1);
    assert.match(
      wrong.log,
      /the proxy 127\.0\.0\.1:\d+ refused the connection to 127\.0\.0\.1:\d+ with 40[17]/,
    );
    assert.ok(!wrong.log.includes('wrong'), 'no password in the log');
    assert.equal(server.asked.length, 0);

    const through = await runOnce({ https_proxy: `http://device:proxy-secret@127.0.0.1:${proxy.port}` });
    assert.equal(through.exitCode, 0, through.log);
    assert.ok(server.asked.some(({ path }) => path.endsWith('/auth_requests')));
    assert.ok(server.asked.some(({ path }) => path.endsWith('/deployments/next')));
    assert.match(await proxy.log(), /CONNECT 127\.0\.0\.1:\d+ HTTP\/1\.1/);
    assert.ok(!through.log.includes('proxy-secret'));

    const logged = (await proxy.log()).length;
    const direct = await runOnce({ https_proxy: `http://127.0.0.1:${proxy.port}`, no_proxy: '127.0.0.1' });
    assert.equal(direct.exitCode, 0, direct.log);
    assert.equal((await proxy.log()).length, logged, 'the proxy was not asked');
  },
);
