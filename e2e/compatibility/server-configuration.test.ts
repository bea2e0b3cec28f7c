import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { startPrivateBus, type PrivateBus } from './private-bus.ts';
import { openServerSite, type ServerSite } from './server-site.ts';
import { until } from './until.ts';

/*
 * A configuration on its whole way: the operator writes it, the server makes an artifact of it, our client has our update module apply
 * it, and our inventory program, by the message bus and curl, tells the server what the device then has.
 */
for (const [path, from] of Object.entries({
  '/usr/bin/dbus-send': 'dbus-bin',
  '/usr/bin/dbus-daemon': 'dbus-daemon',
  '/usr/bin/curl': 'curl',
}))
  assert.ok(existsSync(path), `${path} is missing: install it with "apt-get install ${from}"`);

const client = resolve(import.meta.dirname, '../../packages/client');
const mac = '02:00:00:00:00:07';

describe('a configuration of the server', () => {
  let site: ServerSite;
  let bus: PrivateBus;
  let daemon: ChildProcess;
  let deviceId: string;
  const at = (...parts: string[]) => join(site.directory, 'device', ...parts);
  const environment = () => ({
    PATH: `${at('programs')}:${process.env['PATH'] ?? ''}`,
    DBUS_SYSTEM_BUS_ADDRESS: bus.address,
    MENDER_CONF_DIR: at('etc'),
    MENDER_DATA_DIR: at('share'),
    MENDER_DATASTORE_DIR: at('store'),
    TEST_CONFIG: at('configuration/device-config.json'),
    TEST_CONFIG_CHECKSUM: at('configuration/reported'),
    TEST_APPLY_DIR: at('apply'),
  });

  async function startDaemon(): Promise<void> {
    const log = await open(at('log'), 'a');
    daemon = spawn(process.execPath, [join(client, 'bin/mender-update.js'), 'daemon'], {
      env: environment(),
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
  }
  async function stopDaemon(): Promise<void> {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGKILL');
    await ended;
  }

  before(async () => {
    site = await openServerSite();
    await mkdir(at(), { recursive: true });
    bus = await startPrivateBus(at());
    for (const name of [
      'etc',
      'share/identity',
      'share/inventory',
      'share/modules',
      'store',
      'apply',
      'programs',
    ])
      await mkdir(at(name), { recursive: true });
    await writeFile(
      at('etc/mender.conf'),
      JSON.stringify({
        ServerURL: site.url,
        ServerCertificate: site.authority,
        UpdatePollIntervalSeconds: 1,
        InventoryPollIntervalSeconds: 1,
        RetryPollIntervalSeconds: 1,
      }),
    );
    await writeFile(at('store/device_type'), 'device_type=board\n');
    await writeProgram(at('share/identity/mender-device-identity'), `echo mac=${mac}\n`);
    await symlink(join(client, 'support/modules'), at('share/modules/v3'));
    const report = 'mender-inventory-mender-configure';
    await symlink(join(client, 'support/inventory', report), at('share/inventory', report));
    await writeProgram(at('apply/10-zone'), `! grep -q broken "$1" && cp "$1" '${at('applied')}'\n`);
    // Asks for a reboot by what it is given, and as a real one would, only while it has not taken effect.
    await writeProgram(
      at('apply/20-kernel'),
      `grep -q kernel "$1" && ! [ -e '${at('rebooted')}' ] && exit 20; exit 0\n`,
    );
    await writeProgram(at('programs/reboot'), `: > '${at('reboot-requested')}'\n`);
    await startDaemon();
    deviceId = await site.operator.accept(mac);
  });
  after(async () => {
    await stopDaemon();
    await bus.stop();
    await site.close();
  });

  const log = () => readFile(at('log'), 'utf8');
  const applied = async () => JSON.parse(await readFile(at('applied'), 'utf8')) as unknown;
  const reported = (expected: Readonly<Record<string, string>>) =>
    until(`the device has reported ${JSON.stringify(expected)}`, async () => {
      const found = await site.operator.reportedConfiguration(deviceId);
      return isDeepStrictEqual({ ...found }, expected) ? true : undefined;
    });

  test('is applied by the device, and the server hears that it is', async () => {
    const deployment = await site.operator.configure(deviceId, { zone: 'UTC' });
    assert.equal(await site.operator.outcome(deployment, deviceId), 'success', await log());
    assert.deepEqual(await applied(), { zone: 'UTC' });
    await reported({ zone: 'UTC' });
    const inventory = await until('the inventory names it', async () => {
      const found = await site.operator.inventory(deviceId);
      return found['data-partition.mender-configure.version'] === undefined ? undefined : found;
    });
    assert.equal(inventory['data-partition.mender-configure.version'], `configuration-${deployment}`);
  });

  test('that cannot be applied is a failure, with the words of the program, and the former one stays', async () => {
    const deployment = await site.operator.configure(deviceId, { zone: 'broken' });
    assert.equal(await site.operator.outcome(deployment, deviceId), 'failure');
    assert.match(await site.operator.deviceLog(deployment, deviceId), /10-zone ended with exit code 1/);
    assert.deepEqual(await applied(), { zone: 'UTC' });
    assert.deepEqual(await site.operator.reportedConfiguration(deviceId), { zone: 'UTC' });
  });

  test('that wants a reboot gets one before it counts', async () => {
    const deployment = await site.operator.configure(deviceId, { zone: 'CET', kernel: 'quiet' });
    await until('the device reboots', async () => (existsSync(at('reboot-requested')) ? true : undefined));
    assert.notEqual((await site.operator.deployment(deployment)).status, 'finished');
    await stopDaemon();
    await writeFile(at('rebooted'), '');
    await startDaemon();
    assert.equal(await site.operator.outcome(deployment, deviceId), 'success', await log());
    await reported({ zone: 'CET', kernel: 'quiet' });
  });

  test('is told once, and again when it is not known to have been told; the program itself prints nothing', async () => {
    await rm(at('share/inventory/mender-inventory-mender-configure'));
    const program = join(client, 'support/inventory/mender-inventory-mender-configure');
    const puts = async () =>
      (await site.answered()).filter(
        ({ method, path }) => method === 'PUT' && path.includes('deviceconfig/configuration'),
      ).length;
    const report = async () => {
      const child = spawn(program, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
      let printed = '';
      child.stdout.on('data', (text: Buffer) => (printed += text.toString()));
      const [exitCode] = (await once(child, 'close')) as [number | null];
      assert.deepEqual([exitCode, printed], [0, '']);
    };
    // A run of the daemon's own may be under way, and the server writes its log a moment after it answers.
    await wait(1000);
    const before = await puts();
    await report();
    await rm(at('configuration/reported'));
    await report();
    await report();
    assert.ok(existsSync(at('configuration/reported')));
    await until('the server has answered', async () => ((await puts()) > before ? true : undefined));
    assert.equal(await puts(), before + 1);
  });
});

async function writeProgram(path: string, script: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await writeFile(path, `#!/bin/sh\n${script}`);
  await chmod(path, 0o755);
}
