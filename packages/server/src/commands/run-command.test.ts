import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { authRequest, authRequestsPath, ed25519Device } from '../testing/whole-server.ts';
import { runCommandHere } from '../testing/command-here.ts';
import { runServerCommand, startServerProcess, type ServerProcess } from '../testing/server-process.ts';

const launcher = fileURLToPath(new URL('../../bin/tandem-server.js', import.meta.url));
const admin = { email: 'admin@example.com', password: 'correct horse battery' };

let directory: string;
const running: ServerProcess[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-process-'));
});
afterEach(async () => {
  for (const server of running.splice(0)) if (server.process.exitCode === null) await server.end('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

async function start(...given: Parameters<typeof startServerProcess>): Promise<ServerProcess> {
  const server = await startServerProcess(...given);
  running.push(server);
  return server;
}

const createAdmin = (run = runCommandHere) =>
  run(
    ['user', 'create', '--data-dir', directory, '--email', admin.email, '--password-stdin'],
    `${admin.password}\n`,
  );

async function logIn(url: string): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${admin.email}:${admin.password}`).toString('base64')}`;
  const response = await fetch(`${url}/api/management/v1/useradm/auth/login`, {
    method: 'POST',
    headers: { authorization },
  });
  assert.equal(response.status, 200);
  return response.text();
}

const count = async (url: string, token: string): Promise<number> => {
  const response = await fetch(`${url}/api/management/v2/devauth/devices/count`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(response.status, 200);
  return ((await response.json()) as { count: number }).count;
};

const knock = async (url: string, idData: Record<string, unknown>): Promise<number> => {
  const { body, headers } = authRequest(ed25519Device(idData));
  const response = await fetch(`${url}${authRequestsPath}`, {
    method: 'POST',
    body: String(body),
    headers: headers ?? {},
  });
  await response.text();
  return response.status;
};

describe('a server that is killed', () => {
  it('has everything it acknowledged when it starts again, tokens included', async () => {
    assert.equal((await createAdmin()).code, 0);
    const server = await start(directory);
    const token = await logIn(server.url);
    let acknowledged = 0;
    let stopped = false;
    const writer = async (name: number) => {
      for (let n = 0; !stopped; n += 1) {
        try {
          if ((await knock(server.url, { writer: name, n })) === 401) acknowledged += 1;
        } catch {
          return;
        }
      }
    };
    const writers = Array.from({ length: 8 }, (_, name) => writer(name));
    while (acknowledged < 200) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await server.end('SIGKILL'), 'SIGKILL');
    stopped = true;
    await Promise.all(writers);

    const again = await start(directory);
    const found = await count(again.url, token);
    assert.ok(found >= acknowledged, `${acknowledged} acknowledged, ${found} found`);
    assert.ok(found <= acknowledged + 8, 'and no more than were under way');
  });
});

describe('a server that is asked to stop', () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`ends with 0 at ${signal}, with everything stored`, async () => {
      const server = await start(directory);
      assert.equal(await knock(server.url, { signal }), 401);
      assert.equal(await server.end(signal), 0);
      assert.ok(
        !(await readdir(directory)).includes('tandem.sqlite-wal'),
        'the log was folded into the database',
      );
    });
  }

  it('finishes the request under way, within its bound', async () => {
    await createAdmin();
    const server = await start(directory);
    const fourLogins = () => Promise.all(Array.from({ length: 4 }, () => logIn(server.url)));
    await fourLogins(); // opens the connections: the next four requests are on their way at once
    // Hashing a password takes its time: the answer comes after the signal.
    const answers = fourLogins();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const code = server.end('SIGTERM');
    assert.equal((await answers).length, 4);
    assert.equal(await code, 0);
  });
});

describe('the console of a fresh server', () => {
  it('shows a one-time token that makes the first administrator, once', async () => {
    const server = await start(directory);
    const token = /^ {2}([\w-]{32})$/m.exec(server.output())?.[1];
    assert.ok(token, server.output());
    const redeem = async () => {
      const response = await fetch(`${server.url}/api/tandem/v1/first-administrator`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token, ...admin }),
      });
      await response.text();
      return response.status;
    };
    assert.equal(await redeem(), 201);
    assert.equal(await redeem(), 403);
    await logIn(server.url);
    assert.equal(
      server.output().split(token).length,
      2,
      'the token is printed once, and never in the request log',
    );
  });

  it('says nothing of it when there is a user', async () => {
    await createAdmin();
    const server = await start(directory);
    assert.doesNotMatch(server.output(), /One-time token/);
  });
});

describe('HTTPS', () => {
  it('comes with a certificate of its own, whose authority is kept, and keys for the owner alone', async () => {
    const options = ['--public-url', 'https://ota.example:8443'];
    const server = await start(directory, options);
    const ca = await readFile(join(directory, 'tls', 'ca.pem'), 'utf8');
    const { port } = new URL(server.url);
    for (const servername of ['ota.example', 'localhost']) {
      assert.equal(await statusOf({ port, ca, servername, rejectUnauthorized: true }), 200, servername);
    }
    await assert.rejects(
      statusOf({ port, ca, servername: 'other.example', rejectUnauthorized: true }),
      /altnames/,
    );
    await assert.rejects(
      statusOf({ port, servername: 'localhost', rejectUnauthorized: true }),
      /self-signed|unable to/,
    );
    for (const path of [
      'tls/ca-key.pem',
      'tls/server-key.pem',
      'keys/device-tokens.0.pem',
      'keys/user-tokens.0.pem',
      'keys/download-links.key',
      'tandem.sqlite',
    ]) {
      assert.equal((await stat(join(directory, path))).mode & 0o777, 0o600, path);
    }
    assert.equal(await server.end('SIGTERM'), 0);
    const again = await start(directory, options);
    assert.equal(await readFile(join(directory, 'tls', 'ca.pem'), 'utf8'), ca);
    await again.end('SIGTERM');
    await start(directory, ['--public-url', 'https://new-name.example']);
    assert.equal(
      await readFile(join(directory, 'tls', 'ca.pem'), 'utf8'),
      ca,
      'a new name needs no new trust',
    );
  });
});

interface TlsOptions {
  readonly port: string;
  readonly ca?: string;
  readonly servername: string;
  readonly rejectUnauthorized: boolean;
}

const statusOf = (options: TlsOptions): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', path: '/health', agent: false, ...options }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });

describe('the command', () => {
  it('runs through its launcher from any directory', async () => {
    const server = await start(directory, ['--http'], [process.execPath, launcher]);
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    assert.equal(await server.end('SIGTERM'), 0);
  });

  it('makes users before the first start and while the server runs', async () => {
    assert.equal((await createAdmin(runServerCommand)).code, 0);
    const server = await start(directory);
    const second = await runServerCommand(
      ['user', 'create', '--data-dir', directory, '--email', 'second@example.com', '--password-stdin'],
      'another password',
    );
    assert.equal(second.code, 0, second.stderr);
    const users = await fetch(`${server.url}/api/management/v1/useradm/users`, {
      headers: { authorization: `Bearer ${await logIn(server.url)}` },
    });
    assert.equal(((await users.json()) as unknown[]).length, 2);
    const twice = await createAdmin();
    assert.equal(twice.code, 1);
    assert.match(twice.stderr, /already exists/);
  });

  it('refuses a second server on the same data', async () => {
    await start(directory);
    await assert.rejects(startServerProcess(directory), /held by another server/);
  });

  for (const [what, args, message] of [
    ['no data directory', ['serve'], /--data-dir is missing/],
    [
      'a bad address',
      ['serve', '--data-dir', '/x', '--listen', 'nowhere'],
      /--listen nowhere: give HOST:PORT/,
    ],
    [
      'half a certificate',
      ['serve', '--data-dir', '/x', '--tls-cert', 'a'],
      /--tls-cert and --tls-key go together/,
    ],
    ['an unknown option', ['serve', '--data-dir', '/x', '--ftp'], /--ftp/],
    ['an unknown command', ['dance'], /there is no command "dance"/],
    [
      'a password on the command line',
      ['user', 'create', '--data-dir', '/x', '--email', 'a@b.c'],
      /--password-stdin is missing/,
    ],
  ] as const) {
    it(`exits with 2 for ${what}, and says what to do`, async () => {
      const { code, stderr } = await runCommandHere(args);
      assert.equal(code, 2);
      assert.match(stderr, message);
    });
  }

  it('documents its settings itself, and takes them from the environment', async () => {
    const { code, stdout } = await runCommandHere(['serve', '--help']);
    assert.equal(code, 0);
    for (const word of ['--data-dir', '--public-url', 'TANDEM_LISTEN', 'Default: 127.0.0.1:8443']) {
      assert.ok(stdout.includes(word), word);
    }
    const { stderr } = await runCommandHere(['serve'], '', {
      TANDEM_DATA_DIR: '/x',
      TANDEM_LISTEN: 'bad',
      TANDEM_HTTP: 'maybe',
    });
    assert.match(stderr, /TANDEM_LISTEN=bad: give HOST:PORT.*\nTANDEM_HTTP=maybe: give true or false/);
  });
});

describe('tandem-server config', () => {
  it('prints what counts, and fails for what cannot be served with', async () => {
    const good = await runCommandHere(['config', '--data-dir', '/x', '--no-http'], '', {
      TANDEM_HTTP: 'true',
    });
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /^# --data-dir\ndata-dir = \/x$/m);
    assert.match(good.stdout, /^# --http\nhttp = false$/m);
    const bad = await runCommandHere(['config', '--data-dir', '/x', '--tls-cert', '/c']);
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /--tls-cert and --tls-key go together/);
  });

  it('prints a configuration file to begin with', async () => {
    const { code, stdout } = await runCommandHere(['config', '--example']);
    assert.equal(code, 0);
    assert.match(stdout, /^#data-dir = PATH$/m);
  });
});
