import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import {
  buildClientDebianPackage,
  buildClientExecutable,
  buildClientTarball,
  type ClientFacts,
} from '../../packaging/client.ts';
import { buildNodeDebianPackage } from '../../packaging/node-package.ts';
import { nodeRuntime } from '../../packaging/node-runtime.ts';
import { runProgram } from '../../packaging/run-program.ts';
import { makeDebianChroot, type DebianChroot } from './debian-chroot.ts';

const project = join(import.meta.dirname, '..', '..');
const modified = 1_700_000_000;

let directory: string;
let chroot: DebianChroot;
let facts: ClientFacts;
let clientPackage: string;
let newPackage: string;
let nodePackage: string;
let tarball: string;
let executable: string;

/** A machine that has other work, too, takes its time. */
const patience = { timeout: 400_000 };

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-client-packages-'));
  [chroot] = await Promise.all([
    makeDebianChroot(['mender-client', 'libatomic1', 'libstdc++6', 'xz-utils', 'zstd']),
    build(),
  ]);
  await chroot.bring(clientPackage, newPackage, nodePackage, tarball, executable, artifact());
}, patience);
after(async () => {
  await chroot.remove();
  await rm(directory, { recursive: true, force: true });
});

const artifact = () => join(directory, 'of-debian.mender');

async function build(): Promise<void> {
  const bundle = join(directory, 'tandem-update.mjs');
  await buildBundle(bundle);
  facts = { version: '1.0.0', modified, bundle };
  const options = { directory, compression: 'none' } as const;
  clientPackage = await buildClientDebianPackage(facts, options);
  newPackage = await buildClientDebianPackage({ ...facts, version: '1.0.1' }, options);
  const node = nodeRuntime(project);
  nodePackage = await buildNodeDebianPackage(node, { ...options, modified });
  tarball = await buildClientTarball(facts, directory);
  executable = await buildClientExecutable(facts, node, directory);
  const script = join(directory, 'payload');
  await writeFile(script, '#!/bin/sh\ntrue\n', { mode: 0o755 });
  const write = ['write', 'module-image', '-t', 'board', '-T', 'script', '-n', 'of-debian-7', '-f', script];
  await runProgram(join(project, 'node_modules/.bin/mender-artifact'), [...write, '-o', artifact()]);
}

async function succeeds(...args: readonly string[]): Promise<string> {
  const { code, output } = await chroot.run(args);
  assert.equal(code, 0, `${args.join(' ')}: ${output}`);
  return output;
}

const existsIn = async (path: string): Promise<boolean> =>
  (await chroot.run(['test', '-e', path])).code === 0;
const packed = (path: string) => `/packages/${basename(path)}`;

describe('the .deb of the client, on a small Debian with the client of Mender', () => {
  it('takes the place of mender-client, with configuration, key and store', async () => {
    // As its unit does at the first start.
    await succeeds('mkdir', '-p', '-m', '0700', '/data/mender');
    const device =
      'echo device_type=board > /data/mender/device_type && echo artifact_name=factory > /etc/mender/artifact_info && ' +
      `echo '{"UpdatePollIntervalSeconds": 7}' > /etc/mender/mender.conf && echo a key > /data/mender/mender-agent.pem`;
    await succeeds('sh', '-c', device);
    await succeeds('/usr/bin/mender', 'install', packed(artifact()));
    const before = await succeeds('sha256sum', '/data/mender/mender-store', '/data/mender/mender-agent.pem');

    await succeeds('dpkg', '--install', packed(nodePackage), packed(clientPackage));
    assert.match(
      await succeeds('dpkg-query', '--show', '--showformat=${db:Status-Status}', 'mender-client'),
      /^(config-files|not-installed)$/,
    );
    assert.equal((await succeeds('readlink', '/var/lib/mender')).trim(), '/data/mender');
    assert.match(await succeeds('cat', '/etc/mender/mender.conf'), /"UpdatePollIntervalSeconds": 7/);
    assert.equal(
      await succeeds('sha256sum', '/data/mender/mender-store', '/data/mender/mender-agent.pem'),
      before,
    );
    assert.equal((await succeeds('mender-update', 'show-artifact')).trim().split('\n').at(-1), 'of-debian-7');
    assert.equal(await succeeds('dpkg', '--verify', 'tandem-client', 'tandem-node'), '');
  });

  it('speaks each command line by its name', async () => {
    for (const name of ['mender-update', 'mender-auth', 'mender-setup', 'tandem-update']) {
      assert.equal((await succeeds(name, '--version')).trim(), '0.1.0', name);
    }
    assert.match(await succeeds('mender', '--version'), /^0\.1\.0\s+runtime: node26/);
    assert.match(await succeeds('mender-update', '--help'), /^NAME\n +mender-update - /);
  });

  it('brings modules, inventory and identity programs that can be run', async () => {
    assert.match(
      await succeeds('/usr/share/mender/inventory/mender-inventory-update-modules'),
      /=single-file$/m,
    );
    for (const path of [
      '/usr/share/mender/identity/mender-device-identity',
      '/usr/share/mender/modules/v3/deb',
    ])
      await succeeds('test', '-x', path);
    assert.match(await succeeds('zcat', '/usr/share/man/man1/mender-update.1.gz'), /^\.TH MENDER\\-UPDATE 1/);
  });

  it('enables the daemon alone, under the name other packages require, and not before there is a configuration', async () => {
    const wants = '/etc/systemd/system/multi-user.target.wants';
    assert.ok(await existsIn(`${wants}/mender-updated.service`));
    assert.equal(await existsIn(`${wants}/mender-authd.service`), false);
    assert.equal(await existsIn('/etc/systemd/system/timers.target.wants/mender-update-once.timer'), false);
    const alias = '/etc/systemd/system/mender-client.service';
    assert.match(await succeeds('readlink', alias), /\/mender-updated\.service$/m);
    const unit = await succeeds('cat', alias);
    assert.match(unit, /^ConditionPathExists=\|\/etc\/mender\/mender\.conf$/m);
  });

  for (const unit of ['mender-updated.service', 'mender-authd.service', 'mender-update-once.service'])
    it(`has a ${unit} that systemd understands`, async () => {
      const text = await readFile(join(chroot.root, 'usr/lib/systemd/system', unit), 'utf8');
      const here = join(directory, unit);
      // The programs are not installed on this machine.
      await writeFile(here, text.replaceAll(/^ExecStart=\S+/gm, `ExecStart=${process.execPath}`));
      assert.equal(await runProgram('systemd-analyze', ['verify', '--man=no', here]), '');
    });

  it('has a timer that systemd understands', async () => {
    const timer = join(chroot.root, 'usr/lib/systemd/system/mender-update-once.timer');
    await writeFile(join(directory, 'mender-update-once.timer'), await readFile(timer, 'utf8'));
    const said = await runProgram('systemd-analyze', [
      'verify',
      '--man=no',
      join(directory, 'mender-update-once.timer'),
    ]);
    assert.equal(said, '');
  });

  it('is upgraded; removed and purged, leaves what the server knows the device by', async () => {
    await succeeds('dpkg', '--install', packed(newPackage));
    assert.match(await succeeds('dpkg-query', '--show', 'tandem-client'), /1\.0\.1/);
    await succeeds('dpkg', '--remove', 'tandem-client');
    for (const gone of [
      '/usr/bin/mender-update',
      '/usr/lib/tandem-client',
      '/usr/share/mender/modules/v3/deb',
    ])
      assert.equal(await existsIn(gone), false, gone);
    const said = await succeeds('dpkg', '--purge', 'tandem-client');
    assert.match(said, /\/var\/lib\/mender is kept/);
    assert.ok(await existsIn('/var/lib/mender/mender-agent.pem'));
    assert.ok(await existsIn('/etc/mender/mender.conf'));
    assert.equal(await existsIn('/etc/systemd/system/multi-user.target.wants/mender-updated.service'), false);
    await succeeds('dpkg', '--purge', 'tandem-node');
  });
});

describe('the client as a tarball and as one program', () => {
  it('runs without any Node on the device, and by the names of its links', async () => {
    await succeeds('ln', '-s', packed(executable), '/usr/local/bin/mender-update');
    assert.equal((await succeeds('mender-update', '--version')).trim(), '0.1.0');
    assert.equal((await succeeds('mender-update', 'show-artifact')).trim().split('\n').at(-1), 'of-debian-7');
    await succeeds('rm', '/usr/local/bin/mender-update');
  });

  it('runs from /usr on the Node that is there', async () => {
    await succeeds('dpkg', '--install', packed(nodePackage));
    await succeeds('tar', '-xzf', packed(tarball), '-C', '/usr', '--strip-components=1');
    assert.equal((await succeeds('mender-auth', '--version')).trim(), '0.1.0');
  });

  it('is the same, byte by byte, when it is built again', async () => {
    const again = join(directory, 'again');
    const bytesOf = (path: string) => readFile(path);
    const packageAgain = await buildClientDebianPackage(facts, { directory: again, compression: 'none' });
    assert.ok((await bytesOf(clientPackage)).equals(await bytesOf(packageAgain)));
    const executableAgain = await buildClientExecutable(facts, nodeRuntime(project), again);
    assert.ok((await bytesOf(executable)).equals(await bytesOf(executableAgain)));
    assert.ok((await bytesOf(tarball)).equals(await bytesOf(await buildClientTarball(facts, again))));
  });
});
