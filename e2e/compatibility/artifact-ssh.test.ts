import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from './until.ts';

/*
 * `ssh://` with a real sshd and ssh between: a server of its own on loopback, with its own keys, whose "device" is a directory of programs.
 * What holds a real device's file system still is its own snapshot program, which is not shown here.
 */

const project = resolve(import.meta.dirname, '../..');
const ours = join(project, 'node_modules/.bin/mender-artifact');
const golden = (file: string) => join(project, 'packages/artifact/golden/good', file);

// sshd takes keys only from where nobody else can write: not below /tmp itself, but below this.
const directory = mkdtempSync(join(tmpdir(), 'artifact-ssh-'));
const device = join(directory, 'device');
const snapshots = join(directory, 'snapshots');
const out = join(directory, 'out.mender');
let server: ChildProcess | undefined;
let port = 0;
after(async () => {
  if (server !== undefined && server.exitCode === null) {
    const ended = once(server, 'exit');
    server.kill();
    await ended;
  }
  rmSync(directory, { recursive: true });
});

before(async () => {
  mkdirSync(device);
  mkdirSync(snapshots);
  for (const key of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, key)]);
  copyFileSync(golden('inputs/rootfs.ext4'), join(device, 'live.ext4'));
  program('sudo', '[ "$1" = -n ] && shift; exec "$@"');
  program(
    'mender-update',
    'echo artifact_name=old; echo rootfs-image.checksum=00; echo rootfs-image.app.version=7',
  );
  port = await freePort();
  const hostKey = readFileSync(join(directory, 'host.pub'), 'utf8');
  writeFileSync(join(directory, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}`);
  writeFileSync(
    join(directory, 'sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${directory}/host`,
      `AuthorizedKeysFile ${directory}/user.pub`,
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'PidFile none',
      'LogLevel ERROR',
      `SetEnv PATH=${device}:/usr/bin:/bin`,
      '',
    ].join('\n'),
  );
  // Where sshd never ran as a service, the empty directory it keeps its unprivileged half in is missing.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(directory, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await until('sshd answers', async () => ((await answers(port)) ? true : undefined));
});

function program(name: string, script: string): void {
  writeFileSync(join(device, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(device, name), 0o755);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: found } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return found;
}

function answers(at: number): Promise<boolean> {
  return new Promise((resolveAnswer) => {
    const socket = connect(at, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolveAnswer(true);
    });
    socket.once('error', () => resolveAnswer(false));
  });
}

const write = (): string[] => {
  const ssh = `-F none -i ${directory}/user -o UserKnownHostsFile=${directory}/known_hosts -o BatchMode=yes`;
  const source = `ssh://${userInfo().username}@127.0.0.1:${port}`;
  const names = ['-c', 'bb', '-n', 'snap', '-o', out, '--tmp', snapshots];
  return ['write', 'rootfs-image', ...names, '-f', source, '-S', ssh];
};

test('a device gives its root file system over ssh, with what it provides', () => {
  program('mender-snapshot', `echo "Initializing snapshot..." >&2; cat ${device}/live.ext4`);
  const { status, stderr } = spawnSync(ours, write(), { encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
  const shown = execFileSync(ours, ['read', out], { encoding: 'utf8' });
  assert.match(shown, /rootfs-image\.app\.version: 7/);
  assert.match(shown, /rootfs-image\.version: snap/);
  assert.match(
    execFileSync(ours, ['cat', `${out}:/etc/mender/artifact_info`], { encoding: 'utf8' }),
    /artifact_name=old-name/,
  );
  assert.deepEqual(readdirSync(snapshots), []);
});

test('a device that is not who it was before gets no trust', () => {
  rmSync(out);
  const known = join(directory, 'known_hosts');
  const right = readFileSync(known, 'utf8');
  writeFileSync(known, `[127.0.0.1]:${port} ${readFileSync(join(directory, 'user.pub'), 'utf8')}`);
  const { status, stderr } = spawnSync(ours, write(), { encoding: 'utf8', timeout: 60_000 });
  writeFileSync(known, right);
  assert.equal(status, 1);
  assert.match(stderr, /HOST IDENTIFICATION HAS CHANGED/);
  assert.ok(!existsSync(out));
});

test('^C in the middle of a snapshot leaves nothing here and nothing running there', async () => {
  const running = join(device, 'running');
  program(
    'mender-snapshot',
    `echo $$ > ${running}; echo "Initializing snapshot..." >&2; head -c 100000 ${device}/live.ext4; ` +
      // As a real one: it writes on, and ends when nobody listens any more.
      'while sleep 0.1; do echo more || exit 1; done',
  );
  const writing = spawn(ours, write(), { stdio: 'ignore' });
  const ended = once(writing, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await until('the snapshot comes in', async () =>
    Promise.resolve(readdirSync(snapshots).length > 0 && existsSync(running) ? true : undefined),
  );
  writing.kill('SIGINT');
  // Where another Node comes first in PATH a launcher stands between, which answers as a shell would.
  const [status, signal] = await ended;
  assert.ok(signal === 'SIGINT' || status === 130, `${status} ${signal}`);
  assert.deepEqual(readdirSync(snapshots), []);
  assert.ok(!existsSync(out));
  const pid = readFileSync(running, 'utf8').trim();
  await until('the device has stopped', async () =>
    Promise.resolve(existsSync(`/proc/${pid}`) ? undefined : true),
  );
});
