import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { moduleImage, writeArtifactFile } from '@tandem/artifact';
import { buildBundle } from '../../build-bundle.ts';
import { distinctNodes } from './distinct-nodes.ts';
import { programs, type CommandDescription, type ProgramName } from './command-line.ts';
import { fromSingleDash } from './single-dash.ts';

const directory = await mkdtemp(join(tmpdir(), 'command-line-'));
after(() => rm(directory, { recursive: true }));
// As on a device: the one file, and links to it under the names of the programs.
const bundle = join(directory, 'lib', 'tandem-update.mjs');
const programFile = (name: ProgramName) => join(directory, 'bin', name);

const roots = {
  etc: join(directory, 'etc'),
  share: join(directory, 'share'),
  store: join(directory, 'store'),
};
const environment = {
  PATH: process.env['PATH'] ?? '',
  MENDER_CONF_DIR: roots.etc,
  MENDER_DATA_DIR: roots.share,
  MENDER_DATASTORE_DIR: roots.store,
};

function run(program: ProgramName, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [programFile(program), ...args], {
    env: environment,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

before(async () => {
  await buildBundle(bundle);
  await mkdir(join(directory, 'bin'));
  await Promise.all(
    (Object.keys(programs) as ProgramName[]).map((name) => symlink(bundle, programFile(name))),
  );
  await Promise.all(Object.values(roots).map((path) => mkdir(path, { recursive: true })));
  await writeFile(join(roots.store, 'device_type'), 'device_type=virtual\n');
});

describe('mistakes on the command line', () => {
  for (const [args, message] of [
    [['fly'], 'No such action: fly'],
    [['--fly'], "Unrecognized option '--fly'"],
    [['-x', 'install'], "Unrecognized option '-x'"],
    [['--log-level'], 'Option --log-level missing value'],
    [['--log-level', '--version'], 'Option --log-level missing value'],
    [['--skipverify=yes', 'show-artifact'], "Option --skipverify doesn't expect a value"],
    [['show-artifact', 'more'], "Unexpected argument 'more'"],
    [['show-artifact', '--log-level', 'info'], "Unrecognized option '--log-level'"],
    [['install'], 'Need a path to an artifact'],
    [['install', 'a', 'b'], 'Too many arguments: b'],
    [['install', '--', '--a', 'b'], 'Too many arguments: b'],
    [['--version', 'install'], '--version can not be combined with other commands and arguments'],
    [['--log-level', 'loud', 'show-artifact'], "'loud' is not a valid log level"],
    [['--config', '/nowhere.conf', 'show-artifact'], '/nowhere.conf: there is no such file'],
    [['daemon'], 'Cannot run in daemon mode with no server URL specified'],
    [['install', '--stop-before', 'Idle', 'x'], 'Cannot stop before unsupported state Idle'],
  ] as const) {
    test(`${args.join(' ')}: ${message}`, () => {
      const { status, stdout, stderr } = run('mender-update', ...args);
      assert.ok(stderr.includes('Could not fulfill request: ') && stderr.includes(message), stderr);
      assert.deepEqual([status, stdout], [1, '']);
    });
  }

  test('of mender-auth are told in its words', () => {
    for (const [args, message] of [
      [['bootstrap', '--once'], "Unrecognized option '--once'"],
      [['authenticate'], 'No such action: authenticate'],
      [['daemon'], 'Cannot run in daemon mode with no server URL specified'],
    ] as const) {
      const { status, stderr } = run('mender-auth', ...args);
      assert.deepEqual([status, stderr], [1, `Failed to process command line options: ${message}\n`]);
    }
  });

  test('no command at all gives the help, and is one', () => {
    const { status, stdout, stderr } = run('mender-update');
    assert.match(stdout, /^NAME\n {3}mender-update - /);
    assert.deepEqual([status, stderr], [1, 'Could not fulfill request: Need an action\n']);
  });
});

describe('help', () => {
  test('names every command and every option, in 78 columns', () => {
    for (const name of Object.keys(programs) as ProgramName[]) {
      const { status, stdout } = run(name, '--help');
      assert.equal(status, 0);
      const implied = 'implies' in programs[name];
      for (const [command, { options: own }] of Object.entries<CommandDescription>(programs[name].commands)) {
        if (implied) for (const option of own) assert.ok(stdout.includes(`--${option}`));
        else assert.match(stdout, new RegExp(`^ {3}${command} `, 'm'));
      }
      for (const option of programs[name].globalOptions) assert.ok(stdout.includes(`--${option}`));
      for (const line of stdout.split('\n')) assert.ok(line.length <= 78, line);
    }
    assert.match(run('mender-update', 'install', '--help').stdout, /--reboot-exit-code/);
  });

  test('of the old program is what it says when it is told nothing', () => {
    const { status, stdout } = run('mender');
    assert.equal(status, 0);
    assert.match(stdout, /^NAME/);
    assert.deepEqual(run('mender', 'fly'), { status: 3, stdout: '', stderr: "No help topic for 'fly'\n" });
    assert.match(run('mender', 'help').stdout, /^NAME\n {3}mender - /);
    assert.match(run('mender', '--no-syslog', 'help', 'install').stdout, /^NAME\n {3}mender install - /);
    assert.match(run('mender', '-version').stdout, /^0\.1\.0\truntime: node\d+/);
    assert.equal(run('mender-update', '--version').stdout, '0.1.0\n');
  });
});

test('the words of the first generation are understood', () => {
  for (const [old, now] of [
    [
      ['-install', 'a.mender'],
      ['install', 'a.mender'],
    ],
    [
      ['-rootfs=a.mender', '-no-syslog'],
      ['install', 'a.mender'],
    ],
    [
      ['--log-level=debug', '-commit'],
      ['--log-level', 'debug', 'commit'],
    ],
    [
      ['-config', 'c', '-debug', '-daemon'],
      ['--config', 'c', '--log-level', 'debug', 'daemon'],
    ],
    [['-version'], ['--version']],
    [
      ['install', 'a.mender'],
      ['install', 'a.mender'],
    ],
    [
      ['-c', 'file', 'commit'],
      ['-c', 'file', 'commit'],
    ],
    [['--help'], ['--help']],
    [['help'], ['help']],
  ] as const) {
    assert.deepEqual(fromSingleDash(old), now);
  }
});

describe('bootstrap', () => {
  test('makes a key once, keeps it, and makes another when forced', async () => {
    const key = join(roots.store, 'mender-agent.pem');
    assert.equal(run('mender-auth', 'bootstrap').status, 0);
    const first = await readFile(key, 'utf8');
    assert.match(first, /BEGIN PRIVATE KEY/);
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    await chmod(key, 0o644);
    assert.equal(run('mender', 'bootstrap').status, 0);
    assert.equal(await readFile(key, 'utf8'), first);
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.equal(run('mender-auth', 'bootstrap', '--forcebootstrap').status, 0);
    assert.notEqual(await readFile(key, 'utf8'), first);
  });

  test('is done also when the server does not accept the device yet', async () => {
    const server = createServer((_request, response) =>
      response.writeHead(401).end('{"error":"unauthorized"}'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await mkdir(join(roots.share, 'identity'), { recursive: true });
    await writeFile(join(roots.share, 'identity', 'mender-device-identity'), '#!/bin/sh\necho mac=1\n', {
      mode: 0o755,
    });
    const config = join(directory, 'server.conf');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await writeFile(config, JSON.stringify({ ServerURL: url }));
    // Not spawnSync: the server answers in this process.
    const child = spawn(process.execPath, [programFile('mender-auth'), '-c', config, 'bootstrap'], {
      env: environment,
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const status = await new Promise((resolve) => child.once('close', resolve));
    server.close();
    assert.equal(status, 0);
    assert.match(stderr, /it answered 401 \(unauthorized\)\. Accept this device on the server/);
  });
});

describe('the bundle', () => {
  const nodes = distinctNodes();
  const artifact = join(directory, 'module.mender');

  before(async () => {
    await mkdir(join(roots.share, 'modules', 'v3'), { recursive: true });
    const module =
      '#!/bin/sh\ncase "$1" in ArtifactInstall) cp "$2"/files/* "$INSTALL_HERE";; esac\nexit 0\n';
    await writeFile(join(roots.share, 'modules', 'v3', 'copy'), module, { mode: 0o755 });
    const payload = Buffer.from('installed by an update module');
    const file = { name: 'file', sizeBytes: payload.length, open: () => once(payload) };
    await writeArtifactFile(
      {
        artifactName: 'copied',
        depends: { deviceTypes: ['virtual'] },
        payload: moduleImage({ artifactName: 'copied', type: 'copy', files: [file] }),
      },
      artifact,
      { compression: 'gzip' },
    );
  });

  for (const [index, node] of nodes.entries()) {
    test(`runs on Node ${node.version} with nothing beside it`, async (context) => {
      context.diagnostic(`${node.path} ${node.version}`);
      const store = join(directory, `store-${index}`);
      const target = join(directory, `target-${index}`);
      await mkdir(store);
      await writeFile(join(store, 'device_type'), 'device_type=virtual\n');
      const runBundle = (...args: string[]) => {
        const { status, stdout, stderr } = spawnSync(node.path, [programFile('mender-update'), ...args], {
          env: { ...environment, MENDER_DATASTORE_DIR: store, INSTALL_HERE: target },
          encoding: 'utf8',
          timeout: 30_000,
        });
        return { status, stdout, stderr };
      };
      assert.equal(runBundle('show-artifact').stdout, 'unknown\n');
      const installed = runBundle('install', artifact);
      assert.equal(installed.status, 0, installed.stderr);
      assert.equal(await readFile(target, 'utf8'), 'installed by an update module');
      const committed = runBundle('commit');
      const provides = runBundle('show-provides');
      assert.deepEqual(provides.stdout.split('\n').slice(0, 1), ['artifact_name=copied'], committed.stderr);
      assert.equal(runBundle('commit').status, 2);
    });
  }
});

describe('the launcher in the source tree', () => {
  const launcher = join(import.meta.dirname, '..', '..', 'bin', 'mender-update.js');

  for (const node of distinctNodes()) {
    test(`runs the sources under Node ${node.version}, and leaves nothing running when it is killed`, async () => {
      const config = join(directory, 'nowhere.conf');
      await writeFile(
        config,
        JSON.stringify({
          ServerURL: 'http://127.0.0.1:1',
          RetryPollIntervalSeconds: 1,
          DBus: { Enabled: false },
        }),
      );
      const child = spawn(node.path, [launcher, '-c', config, 'daemon'], { env: environment });
      const closed = new Promise<string>((resolve) => child.once('close', () => resolve('closed')));
      await new Promise((resolve) => child.stderr.once('data', resolve));
      child.kill('SIGKILL');
      // The output stays open as long as any process of it lives.
      const late = new Promise<string>((resolve) => setTimeout(resolve, 5000, 'still running').unref());
      assert.equal(await Promise.race([closed, late]), 'closed');
    });
  }
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
