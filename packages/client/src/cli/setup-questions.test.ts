import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { ClientError } from '../client-error.ts';
import { installationPaths } from '../configuration/installation-paths.ts';
import { loadConfiguration } from '../configuration/load-configuration.ts';
import { sendHttp } from '../server-connection/http-exchange.ts';
import { loadTrust } from '../server-connection/tls-trust.ts';
import { linuxSystem } from '../system/linux-system.ts';
import { programs } from './command-line.ts';
import { parseArguments } from './parse-arguments.ts';
import { runSetup } from './run-setup.ts';
import { type Terminal } from './terminal.ts';

/** A device with somebody before it, who gives these answers and then, if there are not enough, presses Ctrl-C. */
async function device(t: TestContext, hostedServer?: string) {
  const home = await mkdtemp(join(tmpdir(), 'setup-questions-'));
  t.after(() => rm(home, { recursive: true }));
  const system = linuxSystem({ log: () => undefined, environment: {} });
  const paths = installationPaths({
    MENDER_CONF_DIR: join(home, 'etc'),
    MENDER_DATASTORE_DIR: join(home, 'data'),
  });
  const nowhere = { path: join(home, 'none'), named: false };
  const configuration = await loadConfiguration(system.files, { main: nowhere, fallback: nowhere });
  const trust = await loadTrust(
    system.files,
    { serverCertificate: '', skipVerify: false, clientCertificate: '', clientKey: '' },
    system.log,
  );
  const asked: string[] = [];
  const told: string[] = [];
  let closed = 0;
  return {
    home,
    asked,
    told,
    closed: () => closed,
    configuration: async () =>
      JSON.parse(await readFile(join(home, 'etc/mender.conf'), 'utf8')) as Record<string, unknown>,
    deviceType: () => readFile(join(home, 'data/device_type'), 'utf8'),
    nothingWritten: async () => {
      for (const name of ['etc', 'data']) await assert.rejects(stat(join(home, name)), { code: 'ENOENT' });
    },
    setUp: (words: readonly string[], answers: readonly string[]) => {
      const left = [...answers];
      const terminal: Terminal = {
        tell: (text) => told.push(text),
        ask: (question, hidden) => {
          asked.push(hidden === undefined ? question : `${question} (hidden)`);
          const answer = left.shift();
          return answer === undefined
            ? Promise.reject(new ClientError('calledOff', 'Called off: nothing was written.'))
            : Promise.resolve(answer);
        },
        close: () => (closed += 1),
      };
      return runSetup(parseArguments(programs['tandem-update'], ['setup', ...words]), {
        ground: { system, paths, configuration, environment: {}, version: 'test' },
        print: (line) => told.push(line),
        hostName: 'bench-7',
        openTerminal: () => terminal,
        send: () => Promise.resolve(sendHttp(trust, 'test')),
        ...(hostedServer === undefined ? {} : { hostedServer }),
        signal: new AbortController().signal,
      });
    },
  };
}

describe('whoever sets up a device at its terminal', () => {
  test('is asked for all that no option says, in the order of the reference', async (t) => {
    const { setUp, asked, configuration, deviceType, home, closed } = await device(t);
    const certificate = join(home, 'server.crt');
    await writeFile(certificate, 'certificate');
    const answers = ['my-board', 'n', 'https://updates.example.com', certificate, 'n', '60', '', '70'];
    assert.equal(await setUp([], answers), 0);
    assert.deepEqual(asked, [
      'Device type, by which artifacts are chosen: [bench-7]',
      'Is the server hosted.mender.io?: [y/N]',
      'Address of the server, https://…:',
      'File with the certificate to trust it by; empty for one that everybody trusts:',
      'Poll every few seconds, as for a trial?: [y/N]',
      'Seconds between two questions for an update: [1800]',
      'Seconds between two inventories: [28800]',
      'Longest wait in seconds after a failure: [300]',
    ]);
    assert.deepEqual(await configuration(), {
      Servers: [{ ServerURL: 'https://updates.example.com' }],
      ServerCertificate: certificate,
      DeviceTypeFile: join(home, 'data/device_type'),
      UpdatePollIntervalSeconds: 60,
      InventoryPollIntervalSeconds: 28800,
      RetryPollIntervalSeconds: 70,
    });
    assert.equal(await deviceType(), 'device_type=my-board\n');
    assert.equal(closed(), 1, 'the terminal was given back');
  });

  test('is asked again, with the reason, for what will not do', async (t) => {
    const { setUp, told, configuration } = await device(t);
    const answers = [
      'my board',
      '',
      'maybe',
      '',
      'updates',
      'http://10.0.0.1:8080',
      '/no/file',
      '',
      'n',
      '4',
      '5',
      '',
      '',
    ];
    assert.equal(await setUp([], answers), 0);
    assert.deepEqual(told.slice(1), [
      'It can only have letters, digits, - and _.',
      'Answer y or n.',
      'It must begin with https:// (or http://).',
      'There is no such file.',
      'It must be a number of seconds, at least 5.',
      'Mender setup successfully.',
    ]);
    assert.deepEqual((await configuration())['Servers'], [{ ServerURL: 'http://10.0.0.1:8080' }]);
  });

  test('is not asked for what options say', async (t) => {
    const { setUp, asked, configuration } = await device(t);
    const said = ['--device-type', 'my-board', '--server-url', 'https://a.example.com', '--demo-polling'];
    assert.equal(await setUp([...said, '--server-cert', ''], []), 0);
    assert.deepEqual(asked, []);
    assert.equal((await configuration())['UpdatePollIntervalSeconds'], 5);
  });

  for (const count of [0, 1, 2, 3, 4, 5]) {
    test(`can call it off after ${count} answers, and nothing is written`, async (t) => {
      const { setUp, nothingWritten, closed } = await device(t);
      const answers = ['my-board', 'n', 'https://updates.example.com', '', 'n', '60'].slice(0, count);
      await assert.rejects(setUp([], answers), { code: 'calledOff' });
      await nothingWritten();
      assert.equal(closed(), 1);
    });
  }
});

describe('a device of an organization at the hosted server', () => {
  async function hosted(t: TestContext, answers: Readonly<Record<string, readonly [number, string]>>) {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      const what = `${request.method} ${request.url}`;
      seen.push(`${what} ${request.headers.authorization}`);
      const [status, body] = answers[what] ?? [404, ''];
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
  const login = 'POST /api/management/v1/useradm/auth/login';
  const tenant = 'GET /api/management/v1/tenantadm/user/tenant';
  const typed = ['my-board', 'y', 'me@example.com', 'pass:wörd', 'y'];

  test('gets its token by e-mail address and password, which is not shown', async (t) => {
    const { url, seen } = await hosted(t, {
      [login]: [200, 'the-session'],
      [tenant]: [200, '{"id":"1","tenant_token":"the-token"}'],
    });
    const { setUp, asked, configuration } = await device(t, url);
    assert.equal(await setUp([], typed), 0);
    assert.ok(asked.includes('Your password there: (hidden)'));
    assert.equal(asked.filter((question) => question.includes('hidden')).length, 1);
    const basic = Buffer.from('me@example.com:pass:wörd').toString('base64');
    assert.deepEqual(seen, [`${login} Basic ${basic}`, `${tenant} Bearer the-session`]);
    const { TenantToken, Servers } = await configuration();
    assert.deepEqual([TenantToken, Servers], ['the-token', [{ ServerURL: url }]]);
    assert.ok(!JSON.stringify(await configuration()).includes('wörd'), 'the password is kept nowhere');
  });

  // prettier-ignore
  const refusals = [
    { name: 'a wrong password',       answers: { [login]: [401, ''] },                                                         says: /does not know/ },
    { name: 'a server that is away',  answers: { [login]: [503, ''] },                                                         says: /log in .* 503/ },
    { name: 'an answer of HTML',      answers: { [login]: [200, 'x'], [tenant]: [200, '<html>'] },                             says: /--tenant-token/ },
    { name: 'no token',               answers: { [login]: [200, 'x'], [tenant]: [200, '{"tenant_token":""}'] },                says: /--tenant-token/ },
    { name: 'an endless answer',      answers: { [login]: [200, 'x'.repeat(300_000)] },                                        says: /more than 262144 bytes/ },
  ] as const;
  for (const { name, answers, says } of refusals) {
    test(`is told of ${name}, and nothing is written`, async (t) => {
      const { url } = await hosted(t, answers);
      const { setUp, nothingWritten } = await device(t, url);
      await assert.rejects(setUp([], typed), says);
      await nothingWritten();
    });
  }
});
