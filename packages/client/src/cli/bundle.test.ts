import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildBundle } from '../../build-bundle.ts';
import { authenticationService } from '../auth-service/mender-interfaces.ts';
import { startTestBus, testBusSignal } from '../d-bus/test-bus.ts';
import { distinctNodes } from './distinct-nodes.ts';

const largestBundleBytes = 400 * 1024;

describe('the bundled client', () => {
  let directory: string;
  let program: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bundle-'));
    program = join(directory, 'tandem-update.mjs');
    await buildBundle(program);
    await symlink(program, join(directory, 'mender-auth'));
  });
  after(() => rm(directory, { recursive: true }));

  test('is less than 400 KiB', async () => {
    const { size } = await stat(program);
    assert.ok(size < largestBundleBytes, `${size} bytes`);
  });

  for (const node of distinctNodes()) {
    test(`gives tokens over D-Bus and forwards to the server on Node ${node.version}`, async (context) => {
      const server = createServer((request, response) => {
        if (request.url === '/api/devices/v1/authentication/auth_requests') response.end('a.token');
        else response.end(`${request.headers.authorization ?? ''} at ${request.url ?? ''}`);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const home = join(directory, node.version);
      for (const made of ['etc', 'share/identity', 'store'])
        await mkdir(join(home, made), { recursive: true });
      const ServerURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await writeFile(join(home, 'etc/mender.conf'), JSON.stringify({ ServerURL }));
      const identity = join(home, 'share/identity/mender-device-identity');
      await writeFile(identity, '#!/bin/sh\necho mac=a\n');
      await chmod(identity, 0o755);

      const testBus = await startTestBus(context);
      const daemon = spawn(node.path, [join(directory, 'mender-auth'), 'daemon'], {
        env: {
          PATH: process.env['PATH'],
          DBUS_SYSTEM_BUS_ADDRESS: testBus.address,
          MENDER_CONF_DIR: join(home, 'etc'),
          MENDER_DATA_DIR: join(home, 'share'),
          MENDER_DATASTORE_DIR: join(home, 'store'),
        },
      });
      let log = '';
      daemon.stderr.on('data', (text: Buffer) => (log += text.toString()));
      const exited = once(daemon, 'exit');
      context.after(async () => {
        daemon.kill('SIGKILL');
        await exited;
        server.closeAllConnections();
        server.close();
      });

      const bus = await testBus.connect();
      const call = {
        destination: authenticationService.name,
        path: authenticationService.path,
        interface: authenticationService.interface.name,
        member: 'GetJwtToken',
        returns: 'ss',
      };
      const limit = AbortSignal.timeout(20_000);
      let [token, url]: readonly unknown[] = ['', ''];
      while (token === '') {
        assert.ok(daemon.exitCode === null && !limit.aborted, log);
        // Until the daemon owns the name there is nobody to ask.
        [token, url] = await bus.call(call, testBusSignal).catch(() => ['', '']);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.equal(token, 'a.token');
      const answer = await fetch(`${String(url as string)}/api/devices/v1/x`, {
        headers: { Authorization: 'Bearer a.token' },
      });
      assert.equal(await answer.text(), 'Bearer a.token at /api/devices/v1/x');
      daemon.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null]);
    });
  }
});
