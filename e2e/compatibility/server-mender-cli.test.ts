import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { debianProgram } from './debian-programs.ts';
import { makeModuleArtifact, singleFile } from './module-artifact.ts';
import { openServerSite, type ServerSite } from './server-site.ts';
import { makeStockDevice } from './stock-device.ts';

/** Debian's own `mender-cli` 1.9 against our server, over HTTPS with our authority. */

const menderCli = debianProgram('mender-cli');
let site: ServerSite;
let home: string;
let artifact: string;

before(async () => {
  site = await openServerSite();
  home = join(site.directory, 'home');
  await mkdir(home);
  artifact = await makeModuleArtifact(join(site.directory, 'workshop'), {
    name: 'app-1',
    module: 'single-file',
    files: singleFile('app.bin', randomBytes(1 << 20), '/opt'),
  });
});
after(() => site.close());

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

/** Runs a program to its end, in a home of its own; `trust` names the file of authorities a Go program believes. */
const runProgram = (program: string, args: readonly string[], trust = site.authority): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const env = { PATH: '/usr/bin:/bin', HOME: home, SSL_CERT_FILE: trust };
    const child = execFile(program, args, { cwd: home, env, timeout: 30_000 }, (error, out, errors) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ code: Number(error?.code ?? 0), out, errors });
    });
    child.stdin?.end();
  });

const cli = (...args: readonly string[]): Promise<Ended> =>
  runProgram(menderCli.path, ['--server', site.url, ...args]);

const logIn = async (): Promise<void> => {
  const { code, out } = await cli('login', '--username', site.email, '--password', site.password);
  assert.equal(code, 0);
  assert.match(out, /login successful/);
};

const tokenPath = (): string => join(home, '.cache', 'mender', 'authtoken');

/** Ids by name, as `artifacts list` prints them. */
async function listed(): Promise<Readonly<Record<string, string>>> {
  const { code, out } = await cli('artifacts', 'list');
  assert.equal(code, 0);
  const pairs = out.matchAll(/^ID: (\S+)\nName: (.*)$/gm);
  return Object.fromEntries([...pairs].map(([, id, name]) => [String(name), String(id)]));
}

describe('logging in', () => {
  test('with a wrong password is refused, and no token is kept', async () => {
    const { code, errors } = await cli('login', '--username', site.email, '--password', 'wrong');
    assert.equal(code, 1);
    assert.match(errors, /login failed with status 401/);
    await assert.rejects(stat(tokenPath()), { code: 'ENOENT' });
  });

  test('does not send the password to a server it cannot trust', async () => {
    const args = ['--server', site.url, 'login', '--username', site.email, '--password', site.password];
    const { code, errors } = await runProgram(menderCli.path, args, '/dev/null');
    assert.equal(code, 1);
    assert.match(errors, /x509: certificate signed by unknown authority/);
    const logins = (await site.answered()).filter(
      ({ path, status }) => path.endsWith('/auth/login') && status === 200,
    );
    assert.equal(logins.length, 1, 'the operator of the test is the only one who is in');
  });

  test('gives a token that later commands use', async () => {
    await logIn();
    assert.match(await readFile(tokenPath(), 'utf8'), /^[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.deepEqual(await listed(), {});
  });

  test('works from the configuration file, too', async () => {
    await rm(tokenPath());
    const configuration = join(home, '.mender-clirc');
    await writeFile(
      configuration,
      JSON.stringify({ server: site.url, username: site.email, password: site.password }),
    );
    assert.match((await runProgram(menderCli.path, ['login'])).out, /login successful/);
    await rm(configuration);
    assert.deepEqual(await listed(), {});
  });
});

describe('artifacts', () => {
  before(logIn);

  test('are uploaded from a terminal', async () => {
    const upload = `${menderCli.path} --server ${site.url} artifacts upload --description 'the first' ${artifact}`;
    // On a terminal the program runs its progress bar, which it draws by time: a fast upload ends before the first stroke.
    const command = `stty cols 100; ${upload}`;
    const { code, out } = await runProgram('/usr/bin/script', ['-q', '-e', '-c', command, '/dev/null']);
    assert.equal(code, 0, out);
    assert.match(out, /upload successful/);
    assert.deepEqual(Object.keys(await listed()), ['app-1']);
  });

  test('are listed in detail', async () => {
    const { out } = await cli('artifacts', 'list', '--detail', '3');
    for (const line of [
      'Name: app-1',
      'Signed: false',
      `Size: ${(await stat(artifact)).size}`,
      'Description: the first',
      'Compatible device types:\n  stock-board',
      'Format version: 3',
      'Type: single-file',
      'Name: app.bin',
      `Size: ${1 << 20}`,
    ]) {
      assert.ok(out.includes(line), `${line} in ${out}`);
    }
  });

  test('are refused the second time', async () => {
    const { code, errors } = await cli('artifacts', 'upload', '--no-progress', artifact);
    assert.equal(code, 1);
    assert.match(errors, /failed with status 409/);
  });

  test('are refused when torn, and nothing is kept', async () => {
    const torn = join(home, 'torn.mender');
    await writeFile(torn, await readFile(artifact));
    await truncate(torn, 500_000);
    const { code, errors } = await cli('artifacts', 'upload', '--no-progress', torn);
    assert.equal(code, 1);
    assert.match(errors, /failed with status 400/);
    assert.deepEqual(Object.keys(await listed()), ['app-1']);
  });

  test('are deleted once, and then there are none', async () => {
    const id = (await listed())['app-1'];
    assert.ok(id !== undefined);
    const first = await cli('artifacts', 'delete', id);
    assert.equal(first.code, 0);
    assert.match(first.out, /delete successful/);
    const second = await cli('artifacts', 'delete', id);
    assert.equal(second.code, 1);
    assert.match(second.errors, /status 404/);
    assert.deepEqual(await listed(), {});
    const again = await cli('artifacts', 'upload', '--no-progress', artifact);
    assert.equal(again.code, 0, again.errors);
  });
});

describe('tokens', () => {
  test('that nobody issued are refused', async () => {
    const { code, errors } = await cli('--token-value', 'eyJhbGciOiJub25lIn0.e30.', 'artifacts', 'list');
    assert.equal(code, 1);
    assert.match(errors, /401/);
  });

  test('of one’s own for programs are accepted', async () => {
    const token = await site.operator.personalAccessToken('mender-cli');
    const { code, out } = await cli('--token-value', token, 'artifacts', 'list');
    assert.equal(code, 0);
    assert.match(out, /Name: app-1/);
  });
});

describe('devices', () => {
  test('are listed with their identity and status', async (context) => {
    await logIn();
    const device = await makeStockDevice({
      directory: join(site.directory, 'device'),
      serverUrl: site.url,
      serverCertificate: site.authority,
    });
    await device.start();
    context.after(() => device.stop());
    const { id } = await site.operator.knocking(device.mac);
    const list = async () => (await cli('devices', 'list', '--detail', '3')).out;
    const pending = await list();
    for (const text of [id, device.mac, 'pending']) assert.ok(pending.includes(text), pending);
    await site.operator.accept(device.mac);
    assert.match(await list(), /accepted/);
  });
});

describe('a terminal to a device', () => {
  test('is declined in one line as long as there is none', async () => {
    const { code, errors } = await cli('terminal', '00000000-0000-4000-8000-000000000000');
    assert.equal(code, 1);
    assert.match(errors, /unable to get the device: .* failed with status 404/);
  });
});
