import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildServer, buildServerDebianPackage, buildServerTarball } from '../../packaging/server.ts';
import { runProgram } from '../../packaging/run-program.ts';
import manifest from '../../packages/server/package.json' with { type: 'json' };
import { makeDebianChroot, type DebianChroot, type RunOptions } from './debian-chroot.ts';

const modified = 1_700_000_000;
const administrator = { email: 'admin@example.com', password: 'correct horse battery' };
const service = { user: 'tandem-server' } as const;

let directory: string;
let chroot: DebianChroot;
let oldPackage: string;
let newPackage: string;
let tarball: string;

/** A machine that has other work, too, takes its time. */
const patience = { timeout: 400_000 };

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-packages-'));
  [chroot] = await Promise.all([
    makeDebianChroot(['adduser', 'libatomic1', 'libstdc++6', 'xz-utils']),
    build(),
  ]);
  await chroot.bring(oldPackage, newPackage, tarball);
}, patience);
after(async () => {
  for (const server of running) server.kill('SIGKILL');
  await chroot.remove();
  await rm(directory, { recursive: true, force: true });
});

async function build(): Promise<void> {
  const parts = await buildServer({ version: '1.0.0', modified }, join(directory, 'bundle'));
  const options = { directory, compression: 'none' } as const;
  oldPackage = await buildServerDebianPackage(parts, options);
  newPackage = await buildServerDebianPackage({ ...parts, version: '1.0.1' }, options);
  tarball = await buildServerTarball(parts, directory);
}

const running: ChildProcess[] = [];

interface Started {
  readonly url: string;
  /** With SIGTERM, as the service is stopped; resolves with the exit code. */
  readonly stop: () => Promise<number | null>;
}

/** Starts a program in the chroot and waits until it says that it is ready. */
async function startServer(args: readonly string[], options: RunOptions): Promise<Started> {
  const server = chroot.start(args, {
    ...options,
    environment: { TANDEM_LISTEN: '127.0.0.1:0', ...options.environment },
  });
  running.push(server);
  const exited = once(server, 'exit') as Promise<[number | null]>;
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    for (const output of [server.stdout, server.stderr]) {
      if (output === null) continue;
      createInterface({ input: output }).on('line', (line) => {
        lines.push(line);
        const found = /^Tandem is ready at (https?:\S+)/.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
    void exited.then(([code]) => reject(new Error(`ended with ${code}: ${lines.join('\n')}`)));
  });
  return {
    url,
    stop: async () => {
      server.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}

/** As the unit starts it. */
async function startService(): Promise<Started> {
  const unit = await readFile(join(chroot.root, 'usr/lib/systemd/system/tandem-server.service'), 'utf8');
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
  return startServer(value('ExecStart').split(' '), { user: value('User') });
}

async function ask(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<{ status: number | undefined; text: string }> {
  const ca = (await runAsRoot('cat', '/var/lib/tandem-server/tls/ca.pem')).output;
  const request = httpsRequest(url, { method, ca, headers, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream & { statusCode?: number }];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, text };
}

const runAsRoot = (...args: readonly string[]) => chroot.run(args);

async function logIn(url: string): Promise<string> {
  const credentials = Buffer.from(`${administrator.email}:${administrator.password}`).toString('base64');
  const answer = await ask(`${url}/api/management/v1/useradm/auth/login`, 'POST', {
    authorization: `Basic ${credentials}`,
  });
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
}

async function succeeds(...args: readonly string[]): Promise<string> {
  const { code, output } = await runAsRoot(...args);
  assert.equal(code, 0, `${args.join(' ')}: ${output}`);
  return output;
}

const existsIn = async (path: string): Promise<boolean> => (await runAsRoot('test', '-e', path)).code === 0;
const installed = (path: string) =>
  succeeds('dpkg', '--install', `/packages/${path.split('/').at(-1) ?? ''}`);

async function digestsIn(bundle: string): Promise<[string, string][]> {
  const names = (await readdir(bundle)).toSorted();
  assert.ok(names.length > 10);
  return Promise.all(
    names.map(async (name) => {
      const content = await readFile(join(bundle, name));
      return [name, createHash('sha256').update(content).digest('hex')] as [string, string];
    }),
  );
}

describe('the .deb of the server, on a small Debian', () => {
  it('is made of the same program when it is built again', async () => {
    const again = join(directory, 'again');
    await buildServer({ version: '1.0.0', modified }, again);
    assert.deepEqual(await digestsIn(again), await digestsIn(join(directory, 'bundle')));
  });

  it('installs with what it depends on, makes its user and directory, and is enabled', async () => {
    await installed(oldPackage);
    assert.equal((await succeeds('tandem-server', '--version')).trim(), `tandem-server ${manifest.version}`);
    const owner = await succeeds('stat', '--format=%U:%G %a', '/var/lib/tandem-server');
    assert.equal(owner.trim(), 'tandem-server:tandem-server 700');
    const enabled = '/etc/systemd/system/multi-user.target.wants/tandem-server.service';
    assert.equal((await succeeds('readlink', enabled)).trim(), '/lib/systemd/system/tandem-server.service');
    assert.match(await succeeds('zcat', '/usr/share/man/man8/tandem-server.8.gz'), /^\.TH TANDEM-SERVER 8/);
    assert.equal(await succeeds('dpkg', '--verify', 'tandem-server'), '');
  });

  it('has a unit that systemd understands', async () => {
    const unit = await readFile(join(chroot.root, 'usr/lib/systemd/system/tandem-server.service'), 'utf8');
    const here = join(directory, 'tandem-server.service');
    // The program is not installed on this machine.
    await writeFile(here, unit.replace('/usr/bin/tandem-server', process.execPath));
    assert.equal(await runProgram('systemd-analyze', ['verify', '--man=no', here]), '');
  });

  it('refuses root where the service could not read what root made', async () => {
    const { code, output } = await chroot.run(
      ['tandem-server', 'user', 'create', '--email', administrator.email, '--password-stdin'],
      { input: administrator.password },
    );
    assert.equal(code, 2);
    assert.match(output, /belongs to user \d+/);
  });

  it('starts as its user, takes the first user and answers', async () => {
    const made = await chroot.run(
      ['tandem-server', 'user', 'create', '--email', administrator.email, '--password-stdin'],
      { ...service, input: administrator.password },
    );
    assert.equal(made.code, 0, made.output);
    const server = await startService();
    const authorization = `Bearer ${await logIn(server.url)}`;
    assert.equal((await ask(`${server.url}/health`, 'GET')).status, 200);
    // The search has a thread of its own, which must have been packed, too.
    const found = await ask(
      `${server.url}/api/management/v2/inventory/filters/search`,
      'POST',
      { authorization, 'content-type': 'application/json' },
      JSON.stringify({ filters: [{ scope: 'inventory', attribute: 'a', type: '$regex', value: 'x' }] }),
    );
    assert.deepEqual(found, { status: 200, text: '[]' });
    const page = await ask(`${server.url}/ui/`, 'GET');
    assert.equal(page.status, 200, page.text);
    assert.match(page.text, /<!doctype html>/i);
    assert.equal(await server.stop(), 0);
  });

  it('says what is wrong with its configuration, with the exit code that systemd does not start it again for', async () => {
    const { code, output } = await chroot.run(['tandem-server', 'serve'], {
      ...service,
      environment: { TANDEM_LISTEN: 'nowhere' },
    });
    assert.equal(code, 2);
    assert.match(output, /TANDEM_LISTEN=nowhere: give HOST:PORT/);
    const unit = await readFile(join(chroot.root, 'usr/lib/systemd/system/tandem-server.service'), 'utf8');
    assert.match(unit, /^RestartPreventExitStatus=2$/m);
  });

  it('is upgraded beneath a running server, with configuration and data kept', async () => {
    const server = await startService();
    const before = await logIn(server.url);
    await appendFile(join(chroot.root, 'etc/tandem/server.conf'), 'shutdown-seconds = 7\n');
    await installed(newPackage);
    assert.equal(
      (await ask(`${server.url}/health`, 'GET')).status,
      200,
      'the old server goes on until it is restarted',
    );
    assert.equal(await server.stop(), 0);
    assert.match(await succeeds('dpkg-query', '--show', 'tandem-server'), /1\.0\.1/);
    assert.match(
      await succeeds('tandem-server', 'config'),
      /^# \/etc\/tandem\/server\.conf:\d+ shutdown-seconds\nshutdown-seconds = 7$/m,
    );
    const again = await startService();
    const users = await ask(`${again.url}/api/management/v1/useradm/users`, 'GET', {
      authorization: `Bearer ${before}`,
    });
    assert.equal(users.status, 200, 'a token from before the upgrade counts');
    assert.equal(await again.stop(), 0);
  });

  it('removed, leaves configuration and data; purged, only the data devices trust', async () => {
    await succeeds('dpkg', '--remove', 'tandem-server');
    for (const gone of [
      '/usr/bin/tandem-server',
      '/usr/lib/tandem-server',
      '/usr/lib/systemd/system/tandem-server.service',
    ]) {
      assert.equal(await existsIn(gone), false, gone);
    }
    assert.ok(await existsIn('/etc/tandem/server.conf'));
    const said = await succeeds('dpkg', '--purge', 'tandem-server');
    assert.match(said, /\/var\/lib\/tandem-server is kept/);
    assert.ok(await existsIn('/var/lib/tandem-server/tandem.sqlite'));
    assert.equal(await existsIn('/etc/tandem'), false);
    assert.equal(await existsIn('/etc/systemd/system/multi-user.target.wants/tandem-server.service'), false);
  });

  it('purged before it was ever started, leaves nothing', async () => {
    await succeeds('rm', '-r', '/var/lib/tandem-server');
    await installed(newPackage);
    await succeeds('dpkg', '--purge', 'tandem-server');
    assert.equal(await existsIn('/var/lib/tandem-server'), false);
    assert.notEqual((await runAsRoot('getent', 'passwd', 'tandem-server')).code, 0);
  });
});

describe('the tarball of the server', () => {
  it('runs where it is unpacked, as any user', async () => {
    const name = tarball.split('/').at(-1) ?? '';
    await succeeds('tar', '-xzf', `/packages/${name}`, '-C', '/opt');
    const home = `/opt/${name.replace('.tar.gz', '')}`;
    const server = await startServer([`${home}/bin/tandem-server`, 'serve', '--http'], {
      user: 'games',
      environment: { TANDEM_DATA_DIR: '/tmp/tandem' },
    });
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    assert.equal((await fetch(`${server.url}/ui/`)).status, 200);
    assert.equal(await server.stop(), 0);
  });
});
