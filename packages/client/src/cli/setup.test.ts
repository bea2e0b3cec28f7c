import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildBundle } from '../../build-bundle.ts';

const directory = await mkdtemp(join(tmpdir(), 'setup-'));
after(() => rm(directory, { recursive: true }));
before(async () => {
  await buildBundle(join(directory, 'tandem-update'));
  await symlink(join(directory, 'tandem-update'), join(directory, 'mender'));
  await writeFile(join(directory, 'server.crt'), 'certificate');
});

async function device() {
  const home = await mkdtemp(join(directory, 'device-'));
  const configuration = join(home, 'etc/mender.conf');
  return {
    home,
    configuration,
    read: async () => JSON.parse(await readFile(configuration, 'utf8')) as Record<string, unknown>,
    deviceType: () => readFile(join(home, 'data/device_type'), 'utf8'),
    setUp: (words: readonly string[], program: 'tandem-update' | 'mender' = 'tandem-update') => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [join(directory, program), 'setup', ...words],
        {
          env: {
            ...process.env,
            MENDER_CONF_DIR: join(home, 'etc'),
            MENDER_DATASTORE_DIR: join(home, 'data'),
          },
          cwd: directory,
          encoding: 'utf8',
          timeout: 30_000,
        },
      );
      return { status, stdout, stderr };
    },
  };
}

const server = ['--server-url', 'https://updates.example.com'];
const usual = {
  UpdatePollIntervalSeconds: 1800,
  InventoryPollIntervalSeconds: 28800,
  RetryPollIntervalSeconds: 300,
};

describe('the setup of a new device by flags', () => {
  for (const program of ['tandem-update', 'mender'] as const) {
    test(`writes configuration and device type (${program})`, async () => {
      const { setUp, read, deviceType, home, configuration } = await device();
      const words = [...server, '-E', 'server.crt', '--device-type', 'my-board', '--tenant-token', 'abc'];
      assert.deepEqual(setUp(words, program), {
        status: 0,
        stdout: 'Mender setup successfully.\n',
        stderr: '',
      });
      assert.deepEqual(await read(), {
        Servers: [{ ServerURL: 'https://updates.example.com' }],
        TenantToken: 'abc',
        ServerCertificate: join(directory, 'server.crt'),
        DeviceTypeFile: join(home, 'data/device_type'),
        ...usual,
      });
      assert.equal((await stat(configuration)).mode & 0o777, 0o600);
      assert.equal(await deviceType(), 'device_type=my-board\n');
    });
  }

  test('keeps what else the configuration holds, and its own device type', async () => {
    const { setUp, read, deviceType, configuration } = await device();
    setUp([...server, '--device-type', 'first', '--quiet']);
    await writeFile(
      configuration,
      JSON.stringify({ serverurl: 'https://old', RootfsPartA: '/dev/a', Other: { x: 1 } }),
    );
    assert.equal(setUp([...server, '--update-poll', '60', '--demo-polling', '--quiet']).stdout, '');
    const { RootfsPartA, Other, UpdatePollIntervalSeconds, serverurl } = await read();
    assert.deepEqual(
      { RootfsPartA, Other, UpdatePollIntervalSeconds, serverurl },
      { RootfsPartA: '/dev/a', Other: { x: 1 }, UpdatePollIntervalSeconds: 60, serverurl: undefined },
    );
    assert.equal(await deviceType(), 'device_type=first\n');
  });

  test('is refused when the fallback configuration does not go with it', async () => {
    const { setUp, home } = await device();
    await mkdir(join(home, 'data'));
    await writeFile(join(home, 'data/mender.conf'), '{"ServerURL": "https://old.example.com"}');
    const { status, stderr } = setUp([...server, '--device-type', 'my-board']);
    assert.equal(status, 1);
    assert.match(stderr, /Both 'Servers' AND 'ServerURL'/);
    await assert.rejects(stat(join(home, 'etc')), { code: 'ENOENT' });
  });

  test('takes short intervals for a trial, and the host name for the device type', async () => {
    const { setUp, read, deviceType } = await device();
    const { status } = setUp([...server, '--demo-polling']);
    if (/^[A-Za-z0-9-_]+$/.test(hostname())) {
      assert.equal(status, 0);
      assert.equal((await read())['UpdatePollIntervalSeconds'], 5);
      assert.equal(await deviceType(), `device_type=${hostname()}\n`);
    } else assert.equal(status, 1);
  });

  // prettier-ignore
  const refusals = [
    { words: [],                                             says: /Need the server/ },
    { words: ['--server-url', 'updates.example.com'],        says: /Servers: .*http/ },
    { words: [...server, '--device-type', 'my board'],       says: /device type "my board"/ },
    { words: [...server, '--update-poll', '4'],              says: /--update-poll must be .* at least 5/ },
    { words: [...server, '--server-cert', 'nothing.crt'],    says: /no certificate .*nothing\.crt/ },
    { words: [...server, '--hosted-mender'],                 says: /exclude each other/ },
    { words: ['--hosted-mender'],                            says: /needs --tenant-token/ },
    { words: [...server, '--demo'],                          says: /--demo is not supported/ },
    { words: [...server, '--username', 'me'],                says: /for --hosted-mender alone/ },
    { words: ['--hosted-mender', '--username', 'me'],         says: /--username and --password/ },
  ];
  for (const { words, says } of refusals) {
    test(`is refused, with nothing written: ${words.join(' ')}`, async () => {
      const { setUp, home } = await device();
      const { status, stderr } = setUp(['--device-type', 'my-board', ...words]);
      assert.equal(status, 1);
      assert.match(stderr, says);
      await assert.rejects(stat(join(home, 'etc')), { code: 'ENOENT' });
      await assert.rejects(stat(join(home, 'data')), { code: 'ENOENT' });
    });
  }
});
