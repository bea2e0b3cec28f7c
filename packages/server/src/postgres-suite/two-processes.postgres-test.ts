import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freshPostgresUrl } from '../testing/every-database.ts';
import { runServerCommand, startServerProcess, type ServerProcess } from '../testing/server-process.ts';
import { startPostgres, type RunningPostgres } from '../testing/start-postgres.ts';
import { authRequest, authRequestsPath, ed25519Device } from '../testing/whole-server.ts';

const admin = { email: 'admin@example.com', password: 'correct horse battery' };
const password = 'hush-hush';

let postgres: RunningPostgres;
let directory: string;
let secrets: string;
/** The file with its URL: a password is not taken from the command line. */
let database: string;
let servers: readonly [ServerProcess, ServerProcess];

before(async () => {
  postgres = await startPostgres();
  directory = await mkdtemp(join(tmpdir(), 'tandem-two-'));
  const url = new URL(await freshPostgresUrl(postgres.url));
  url.password = password;
  secrets = await mkdtemp(join(tmpdir(), 'tandem-two-secrets-'));
  database = await inFile(url.href);
  const options = ['--http', '--database-file', database];
  // At once: the keys and the schema are made by one of them.
  servers = await Promise.all([
    startServerProcess(directory, options),
    startServerProcess(directory, options),
  ]);
});
after(async () => {
  for (const server of servers ?? []) if (server.process.exitCode === null) await server.end('SIGKILL');
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
  await rm(secrets, { recursive: true, force: true });
});

async function inFile(url: string): Promise<string> {
  const path = join(secrets, randomUUID());
  await writeFile(path, url, { mode: 0o600 });
  return path;
}

async function logIn({ url }: ServerProcess): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${admin.email}:${admin.password}`).toString('base64')}`;
  const response = await fetch(`${url}/api/management/v1/useradm/auth/login`, {
    method: 'POST',
    headers: { authorization },
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.text();
}

const knock = async ({ url }: ServerProcess, idData: Record<string, unknown>): Promise<number> => {
  const { body, headers } = authRequest(ed25519Device(idData));
  const response = await fetch(`${url}${authRequestsPath}`, {
    method: 'POST',
    body: String(body),
    headers: headers ?? {},
  });
  await response.text();
  return response.status;
};

describe('two server processes on one PostgreSQL', () => {
  it('are one server to whoever calls', async () => {
    const created = await runServerCommand(
      [
        'user',
        'create',
        '--data-dir',
        directory,
        '--database-file',
        database,
        '--email',
        admin.email,
        '--password-stdin',
      ],
      `${admin.password}\n`,
    );
    assert.equal(created.code, 0, created.stderr);
    const [first, second] = servers;
    const token = await logIn(first);
    const authorization = `Bearer ${token}`;
    const sent = await fetch(`${second.url}/api/management/v1/useradm/settings`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ colour: 'blue' }),
    });
    assert.ok(sent.ok, `the other takes the token: ${sent.status}`);
    const settings = await fetch(`${first.url}/api/management/v1/useradm/settings`, {
      headers: { authorization },
    });
    assert.deepEqual(await settings.json(), { colour: 'blue' });

    const out = await fetch(`${first.url}/api/management/v1/useradm/auth/logout`, {
      method: 'POST',
      headers: { authorization },
    });
    assert.equal(out.status, 202);
    const after = await fetch(`${second.url}/api/management/v1/useradm/settings`, {
      headers: { authorization },
    });
    assert.equal(after.status, 401, 'whoever logs out at one is out at the other');
  });

  it('store each device that knocks at both once, and every other, also when one of them is killed', async () => {
    const [first, second] = servers;
    const known = Array.from({ length: 40 }, (_, n) => ({ serial: n }));
    const answers = await Promise.all(
      known.flatMap((identity) => [knock(first, identity), knock(second, identity)]),
    );
    assert.deepEqual(new Set(answers), new Set([401]));
    assert.equal(await first.end('SIGKILL'), 'SIGKILL');
    assert.equal(await knock(second, { serial: 'late' }), 401);
    const response = await fetch(`${second.url}/api/management/v2/devauth/devices/count`, {
      headers: { authorization: `Bearer ${await logIn(second)}` },
    });
    assert.equal(((await response.json()) as { count: number }).count, known.length + 1);
  });

  it('end with 0 when asked to, and never print the password of the database', async () => {
    const [first, second] = servers;
    assert.equal(await second.end('SIGTERM'), 0);
    assert.ok(!`${first.output()}${second.output()}`.includes(password));
    const examined = await runServerCommand(['doctor', '--data-dir', directory, '--database-file', database]);
    assert.equal(examined.code, 0, `${examined.stdout}${examined.stderr}`);
    const backup = await runServerCommand([
      'backup',
      '--data-dir',
      directory,
      '--database-file',
      database,
      '--to',
      '/x',
    ]);
    assert.match(backup.stderr, /on PostgreSQL use pg_dump first/);
    const unreachable = await runServerCommand([
      'migrate',
      '--data-dir',
      directory,
      '--database-file',
      await inFile(`postgres://u:${password}@127.0.0.1:1/x`),
    ]);
    assert.equal(unreachable.code, 1);
    assert.match(unreachable.stderr, /postgres:\/\/127\.0\.0\.1:1\/x cannot be used \(.*ECONNREFUSED/);
    const wrong = await runServerCommand([
      'migrate',
      '--data-dir',
      directory,
      '--database-file',
      await inFile(`mysql://u:${password}@h/x`),
    ]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--database.*give postgres:/);
    assert.ok(!`${unreachable.stderr}${wrong.stderr}`.includes(password));
  });

  it('are refused on the data directory of a server on SQLite, whose artifacts they would take for nobody’s', async () => {
    const other = await mkdtemp(join(tmpdir(), 'tandem-two-'));
    await writeFile(join(other, 'tandem.sqlite'), '');
    await assert.rejects(
      startServerProcess(other, ['--http', '--database-file', database]),
      /holds the data of a server on SQLite/,
    );
    await rm(other, { recursive: true });
  });
});
