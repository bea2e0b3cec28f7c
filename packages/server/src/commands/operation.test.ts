import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { artifactForm, packArtifact } from '../deployments/test-data/test-artifact.ts';
import { runCommandHere } from '../testing/command-here.ts';
import { startServerProcess, type ServerProcess } from '../testing/server-process.ts';
import { authRequest, authRequestsPath, ed25519Device } from '../testing/whole-server.ts';

const admin = { email: 'admin@example.com', password: 'correct horse battery' };

let directory: string;
let data: string;
let copy: string;
const running: ServerProcess[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-operation-'));
  data = join(directory, 'data');
  copy = join(directory, 'backup');
});
afterEach(async () => {
  for (const server of running.splice(0)) if (server.process.exitCode === null) await server.end('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

async function start(dataDirectory: string, options: readonly string[] = ['--http']): Promise<ServerProcess> {
  const server = await startServerProcess(dataDirectory, options);
  running.push(server);
  return server;
}

const createAdmin = () =>
  runCommandHere(
    ['user', 'create', '--data-dir', data, '--email', admin.email, '--password-stdin'],
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

const call = (url: string, token: string, path: string, request: RequestInit = {}) =>
  fetch(`${url}${path}`, { ...request, headers: { authorization: `Bearer ${token}` } });

async function upload(url: string, token: string, name: string): Promise<string> {
  const response = await call(url, token, '/api/management/v1/deployments/artifacts', {
    method: 'POST',
    body: artifactForm(await packArtifact({ name })),
  });
  assert.equal(response.status, 201, await response.text());
  return response.headers.get('location')?.split('/').at(-1) ?? '';
}

async function knock(url: string, serial: number): Promise<void> {
  const { body, headers } = authRequest(ed25519Device({ serial }));
  const response = await fetch(`${url}${authRequestsPath}`, {
    method: 'POST',
    body: String(body),
    headers: headers ?? {},
  });
  assert.equal(response.status, 401);
}

const countDevices = async (url: string, token: string): Promise<number> => {
  const response = await call(url, token, '/api/management/v2/devauth/devices/count');
  return ((await response.json()) as { count: number }).count;
};

function rowsOf(path: string): unknown[] {
  const sqlite = new DatabaseSync(path, { readOnly: true });
  const tables = sqlite.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  const rows = tables.map(({ name }) => sqlite.prepare(`SELECT * FROM ${String(name)}`).all());
  sqlite.close();
  assert.ok(rows.flat().length > 10);
  return rows;
}

const digestIn = (text: string) => /digest ([0-9a-f]{64})/.exec(text)?.[1];

describe('a backup', () => {
  it('is taken while the server is written to, and restores to the same digest, tokens and artifacts', async () => {
    await createAdmin();
    const server = await start(data);
    const token = await logIn(server.url);
    const artifact = await upload(server.url, token, 'release-1');
    await upload(server.url, token, 'release-2');
    const state = { serial: 0, stopped: false };
    const writing = (async () => {
      while (!state.stopped) await knock(server.url, state.serial++);
    })();
    while (state.serial < 5) await new Promise((resolve) => setTimeout(resolve, 5));
    const known = await countDevices(server.url, token);
    const taken = await runCommandHere(['backup', '--data-dir', data, '--to', copy]);
    state.stopped = true;
    await writing;
    assert.equal(taken.code, 0, taken.stderr);
    const digest = digestIn(taken.stdout);
    assert.ok(digest, taken.stdout);

    const restored = join(directory, 'restored');
    await mkdir(restored);
    const done = await runCommandHere(['restore', '--data-dir', restored, '--from', copy]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(digestIn(done.stdout), digest);
    assert.deepEqual(rowsOf(join(restored, 'tandem.sqlite')), rowsOf(join(copy, 'tandem.sqlite')));
    assert.equal((await stat(restored)).mode & 0o777, 0o700);
    assert.equal((await stat(join(restored, 'tandem.sqlite'))).mode & 0o777, 0o600);
    assert.equal((await stat(join(restored, 'keys', 'user-tokens.0.pem'))).mode & 0o777, 0o600);

    const other = await start(restored);
    const found = await countDevices(other.url, token);
    assert.ok(found >= known && found <= state.serial, `${known} <= ${found} <= ${state.serial}`);
    const link = await call(
      other.url,
      token,
      `/api/management/v1/deployments/artifacts/${artifact}/download`,
    );
    const { uri } = (await link.json()) as { uri: string };
    const bytes = Buffer.from(await (await fetch(uri)).arrayBuffer());
    assert.ok(bytes.equals(await packArtifact({ name: 'release-1' })));
    assert.equal((await runCommandHere(['doctor', '--data-dir', restored])).code, 0);
  });

  it('refuses a directory with anything in it, on both sides', async () => {
    await createAdmin();
    await mkdir(copy);
    await writeFile(join(copy, 'mine.txt'), 'mine');
    const taken = await runCommandHere(['backup', '--data-dir', data, '--to', copy]);
    assert.equal(taken.code, 2);
    assert.match(taken.stderr, /is not empty: give each backup a directory of its own/);
    assert.deepEqual(await readdir(copy), ['mine.txt']);
    const done = await runCommandHere(['restore', '--data-dir', data, '--from', copy]);
    assert.equal(done.code, 2);
    assert.match(done.stderr, /is not empty: a backup is restored into a new directory/);
  });

  it('has the raw file of an artifact that is still to be generated', async () => {
    await createAdmin();
    const tenant = '000000000000000000000001';
    const database = new DatabaseSync(join(data, 'tandem.sqlite'));
    database
      .prepare('INSERT INTO artifact_generations VALUES (?, ?, ?, ?, 1, 0)')
      .run(tenant, 'abc-1', 'release-1', '{}');
    database.close();
    const missing = await runCommandHere(['backup', '--data-dir', data, '--to', copy]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /1 artifacts of the database have no file, .*raw-abc-1 for one: run doctor/);
    await rm(copy, { recursive: true });
    await mkdir(join(data, 'artifacts', tenant), { recursive: true });
    await writeFile(join(data, 'artifacts', tenant, 'raw-abc-1'), 'raw');
    assert.equal((await runCommandHere(['backup', '--data-dir', data, '--to', copy])).code, 0);
    assert.deepEqual(await readdir(join(copy, 'artifacts', tenant)), ['raw-abc-1']);
  });

  it('that has changed, or was never finished, restores to nothing', async () => {
    await createAdmin();
    assert.equal((await runCommandHere(['backup', '--data-dir', data, '--to', copy])).code, 0);
    const restored = join(directory, 'restored');
    const database = new DatabaseSync(join(copy, 'tandem.sqlite'));
    database.exec("UPDATE users SET email = 'evil@example.com'");
    database.close();
    const changed = await runCommandHere(['restore', '--data-dir', restored, '--from', copy]);
    assert.equal(changed.code, 1);
    assert.match(changed.stderr, /tandem\.sqlite is not as it was backed up/);
    await rm(join(copy, 'backup.json'));
    const unfinished = await runCommandHere(['restore', '--data-dir', restored, '--from', copy]);
    assert.equal(unfinished.code, 2);
    assert.match(unfinished.stderr, /name the directory of a backup that was finished/);
    assert.ok(!(await readdir(directory)).some((name) => name.startsWith('restored')));
  });

  it('with a name that leads out of the data directory is refused', async () => {
    await mkdir(copy);
    const file = { path: 'keys/../../x', sizeBytes: 0, sha256: '', mode: 0o600 };
    await writeFile(
      join(copy, 'backup.json'),
      JSON.stringify({ format: 1, created: '2026-01-01T00:00:00Z', files: [file] }),
    );
    const done = await runCommandHere(['restore', '--data-dir', data, '--from', copy]);
    assert.equal(done.code, 2);
    assert.match(done.stderr, /names a file no backup holds/);
  });
});

describe('doctor', () => {
  it('finds nothing wrong with a healthy server, also while it runs', async () => {
    await createAdmin();
    await start(data, []);
    const { code, stdout } = await runCommandHere(['doctor', '--data-dir', data]);
    assert.equal(code, 0, stdout);
    assert.equal(stdout.match(/^ok /gm)?.length, 5);
  });

  it('says what is wrong and what to do: counters, files, keys', async () => {
    await createAdmin();
    const server = await start(data, []);
    await server.end('SIGTERM');
    const plain = await start(data);
    const artifact = await upload(plain.url, await logIn(plain.url), 'release-1');
    await plain.end('SIGTERM');
    const [tenant = ''] = (await readdir(join(data, 'artifacts'))).filter((name) => !name.startsWith('.'));
    await writeFile(join(data, 'artifacts', tenant, artifact), 'short');
    await chmod(join(data, 'keys', 'user-tokens.0.pem'), 0o644);
    await writeFile(join(data, 'keys', 'device-tokens.0.pem'), 'no key');
    const database = new DatabaseSync(join(data, 'tandem.sqlite'));
    database.exec('UPDATE releases SET artifacts_count = 7');
    database.close();

    const { code, stdout } = await runCommandHere(['doctor', '--data-dir', data]);
    assert.equal(code, 1);
    assert.match(stdout, /^ok {5}the database is whole/m);
    assert.match(stdout, /number of artifacts of release release-1 is not what its rows say/);
    assert.match(stdout, /of artifact release-1 has 5 bytes instead of \d+\n +-> put it back from a backup/);
    assert.match(stdout, /user-tokens\.0\.pem can be read by others \(mode 644\)\n +-> chmod 600/);
    assert.match(stdout, /the keys of device-tokens cannot be used/);
  });

  it('makes no database where there is none', async () => {
    const { code, stderr } = await runCommandHere(['doctor', '--data-dir', data]);
    assert.equal(code, 2);
    assert.match(stderr, /holds no database/);
    assert.deepEqual(await readdir(directory), []);
  });
});

describe('keys rotate', () => {
  it('signs with new keys from the next start on, while tokens given out before go on', async () => {
    await createAdmin();
    const server = await start(data);
    const before = await logIn(server.url);
    const { code, stdout } = await runCommandHere(['keys', 'rotate', '--data-dir', data]);
    assert.equal(code, 0);
    assert.match(stdout, /device-tokens\.1\.pem, user-tokens\.1\.pem made: restart/);
    assert.equal((await stat(join(data, 'keys', 'user-tokens.1.pem'))).mode & 0o777, 0o600);
    await server.end('SIGTERM');
    const again = await start(data);
    const after = await logIn(again.url);
    assert.deepEqual([before, after].map(keyId), [0, 1]);
    for (const token of [before, after]) assert.equal(await countDevices(again.url, token), 0);
  });
});

const keyId = (token: string): unknown =>
  (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid?: unknown }).kid;
