import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { makeBusDevice, type BusDevice } from './bus-device.ts';
import { debianProgram } from './debian-programs.ts';
import { startPrivateBus, type PrivateBus } from './private-bus.ts';
import { startStandInServer, type StandInServer } from './stand-in-server.ts';
import { until } from './until.ts';

const destination = 'io.mender.AuthenticationManager';
const path = '/io/mender/AuthenticationManager';
const authentication = 'io.mender.Authentication1';
const authRequests = '/api/devices/v1/authentication/auth_requests';
const connectPath = '/api/devices/v1/deviceconnect/connect';

describe('other programs of a device', () => {
  let directory: string;
  let server: StandInServer;
  let bus: PrivateBus;
  let device: BusDevice;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-bus-'));
    // The other user must come as far as the socket.
    await chmod(directory, 0o755);
  });
  after(() => rm(directory, { recursive: true }));
  beforeEach(async () => {
    server = await startStandInServer();
    bus = await startPrivateBus(directory);
    device = await makeBusDevice(directory, bus, server);
  });
  afterEach(async () => {
    await device.close();
    await bus.stop();
    await server.close();
  });

  const call = (user: 'root' | 'nobody', member: string, ...more: readonly string[]) =>
    device.run(user, 'dbus-send', [
      '--system',
      '--print-reply=literal',
      `--dest=${destination}`,
      path,
      member,
      ...more,
    ]);
  /** Token and address, once there are some. */
  const tokenAndUrl = () =>
    until('there is a token on the bus', async () => {
      const { status, output } = await call('root', `${authentication}.GetJwtToken`);
      const [token, url] = output.trim().split(/\s+/);
      return status === 0 && token !== undefined && url !== undefined ? { token, url } : undefined;
    });
  const signIns = () => server.asked.filter(({ path: asked }) => asked === authRequests).length;

  for (const name of ['mender-auth', 'mender-update', 'mender'] as const) {
    test(`Debian's mender-connect is let in by ${name} daemon, over an address that needs no TLS of its own`, async () => {
      const { path: program } = debianProgram('mender-connect');
      device.startOurs(name);
      const { token, url } = await tokenAndUrl();
      assert.match(url, /^http:\/\/127\.0\.0\.1:[0-9]+$/);

      const config = join(directory, 'mender-connect.conf');
      await writeFile(config, JSON.stringify({ User: 'nobody', ShellCommand: '/bin/sh' }));
      const connect = device.start(program, ['--config', config, '--trace', 'daemon']);
      const opened = await until('mender-connect has its websocket', () =>
        Promise.resolve([...server.connected.values()][0]),
      );
      assert.equal(opened, `Bearer ${token}`);
      assert.ok(server.asked.some(({ path: asked }) => asked === connectPath));
      await until('mender-connect says so', () =>
        Promise.resolve(connect.printed().includes(`Connection established with ${url}`) || undefined),
      );

      // A new token: the old address closes, and mender-connect follows.
      assert.match((await call('root', `${authentication}.FetchJwtToken`)).output, /boolean true|true/);
      await until('mender-connect is back with the new token', () =>
        Promise.resolve(
          [...server.connected.values()].some((bearer) => bearer !== `Bearer ${token}`) || undefined,
        ),
      );
      assert.notEqual((await tokenAndUrl()).url, url);
    });
  }

  test('are refused when they are not root: methods and signals', async () => {
    const daemon = device.startOurs('mender-auth');
    await tokenAndUrl();
    for (const member of ['GetJwtToken', 'FetchJwtToken']) {
      const { status, output } = await call('nobody', `${authentication}.${member}`);
      assert.equal(status, 1);
      assert.match(output, /AccessDenied/);
      assert.doesNotMatch(output, /header\.token/);
    }

    // One listener of each user; root's shows that there was something to hear.
    const rules = [
      `type='signal',interface='${authentication}'`,
      "type='signal',interface='org.example.End'",
    ];
    const listen = (words: readonly string[]) =>
      device.start('setpriv', [...words, 'dbus-monitor', '--system', ...rules]);
    const nobody = listen(['--reuid=65534', '--regid=65534', '--clear-groups']);
    const root = listen(['--reuid=0']);
    const sayEnd = (member: string) =>
      device.run('root', 'dbus-send', ['--system', '--type=signal', '/end', `org.example.End.${member}`]);
    for (const listener of [nobody, root]) {
      await until('a listener hears', async () => {
        await sayEnd('Beginning');
        return listener.printed().includes('Beginning') || undefined;
      });
    }
    await call('root', `${authentication}.FetchJwtToken`);
    await until('root hears of the new token', () =>
      Promise.resolve(root.printed().includes('header.token-2.signature') || undefined),
    );
    // The bus delivers in order: what nobody hears after the signal shows that the signal is not on its way.
    await sayEnd('AllOver');
    await until('nobody hears the end', () =>
      Promise.resolve(nobody.printed().includes('AllOver') || undefined),
    );
    assert.doesNotMatch(nobody.printed(), /JwtTokenStateChange|token/);
    assert.equal(await daemon.stop(), 0);
  });

  test('hear of a token that is lost, and get none while the device is not accepted', async () => {
    device.startOurs('mender-auth');
    await tokenAndUrl();
    server.accept(false);
    await call('root', `${authentication}.FetchJwtToken`);
    await until('the token is gone', async () => {
      const { output } = await call('root', `${authentication}.GetJwtToken`);
      return output.includes('token') ? undefined : true;
    });
  });

  test('see an object that can be looked at, and are told what it does not do', async () => {
    device.startOurs('mender');
    await tokenAndUrl();
    const { output } = await call('root', 'org.freedesktop.DBus.Introspectable.Introspect');
    assert.match(output, /<method name="GetJwtToken">/);
    const unknown = await call('root', `${authentication}.GetEverything`);
    assert.match(unknown.output, /UnknownMethod/);
    const wrong = await call('root', `${authentication}.GetJwtToken`, 'string:please');
    assert.match(wrong.output, /InvalidArgs/);
    const map = await device.run('root', 'dbus-send', [
      '--system',
      '--print-reply',
      '--dest=io.mender.UpdateManager',
      '/io/mender/UpdateManager',
      'io.mender.Update1.SetUpdateControlMap',
      'string:{}',
    ]);
    assert.match(map.output, /NotSupported.*not supported/);
  });

  test('let mender-update ask mender-auth where there is one, whichever starts first, and do without it where not', async () => {
    const update = device.startOurs('mender-update');
    const { token: first } = await tokenAndUrl();
    assert.equal(signIns(), 1);

    // mender-auth takes the name, and is who authenticates from now on.
    const auth = device.startOurs('mender-auth');
    await until('mender-update gives way', () =>
      Promise.resolve(update.printed().includes('mender-auth authenticates this device') || undefined),
    );
    const second = await until('mender-auth has a token', async () => {
      const { token } = await tokenAndUrl();
      return token === first ? undefined : token;
    });
    await until('mender-update polls with the token of mender-auth', () =>
      Promise.resolve(
        server.asked.some(
          ({ path: asked, authorization }) =>
            asked.startsWith('/api/devices/v2/deployments/') && authorization === `Bearer ${second}`,
        ) || undefined,
      ),
    );
    assert.equal(signIns(), 2);

    // Without it, the name comes back, and the device goes on by itself.
    await auth.kill();
    const third = await until('mender-update has a token of its own', async () => {
      const { token } = await tokenAndUrl();
      return token === second ? undefined : token;
    });
    assert.equal(signIns(), 3);
    assert.notEqual(third, second);
    assert.equal(await update.stop(), 0);
  });

  test('are not fought over: a second mender-auth ends with a word', async () => {
    device.startOurs('mender-auth');
    await tokenAndUrl();
    const { status, output } = await device.run('root', process.execPath, [
      join(import.meta.dirname, '../../packages/client/bin/mender-auth.js'),
      'daemon',
    ]);
    assert.equal(status, 1);
    assert.match(output, /Could not fulfill request: Another program owns io\.mender\.AuthenticationManager/);
  });
});
