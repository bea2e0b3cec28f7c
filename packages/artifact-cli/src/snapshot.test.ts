import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { golden } from './test-data/golden.ts';
import { run } from './test-data/run.ts';

/* The device is a directory of programs, `ssh` one that runs what it is told in there and notes its arguments. */

const directory = mkdtempSync(join(tmpdir(), 'snapshot-'));
after(() => rmSync(directory, { recursive: true }));

function program(name: string, script: string): void {
  writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(directory, name), 0o755);
}

const environment = { PATH: `${directory}:${process.env['PATH'] ?? ''}`, TMPDIR: directory };
copyFileSync(golden('inputs/rootfs.ext4'), join(directory, 'live.ext4'));
program('sudo', '[ "$1" = -n ] && shift; exec "$@"');
program('ssh', `echo "$@" >> ${directory}/arguments; for last; do :; done; exec sh -c "$last"`);
program(
  'mender-update',
  'echo artifact_name=old; echo rootfs-image.checksum=00; echo rootfs-image.app.version=7',
);

const out = join(directory, 'out.mender');
const write = ['write', 'rootfs-image', '-c', 'bb', '-n', 'snap', '-o', out, '--tmp', directory];

test('a running device gives its root file system and what it provides', async () => {
  program('mender-snapshot', `echo "Initializing snapshot..." >&2; cat ${directory}/live.ext4`);
  const { exitCode, stderr } = await run(
    [...write, '-f', 'ssh://user@host:2222', '-S', '-o Compression=no'],
    { environment },
  );
  assert.equal(exitCode, 0, stderr);
  const shown = (await run(['read', out])).stdout;
  assert.match(shown, /rootfs-image\.app\.version: 7/);
  assert.match(shown, /rootfs-image\.version: snap/);
  assert.doesNotMatch(shown, /checksum: 00$/m);
  assert.match((await run(['cat', `${out}:/etc/mender/artifact_info`])).stdout, /artifact_name=old-name/);
  const [first] = readFileSync(join(directory, 'arguments'), 'utf8').split('\n');
  assert.match(
    first ?? '',
    /^-o Compression=no -p 2222 -o ServerAliveInterval=30 -o ServerAliveCountMax=1 user@host /,
  );
});

test('a snapshot that breaks off leaves nothing', async () => {
  program(
    'mender-snapshot',
    `echo "Initializing snapshot..." >&2; head -c 5000 ${directory}/live.ext4; exit 3`,
  );
  rmSync(out);
  const { exitCode, stderr } = await run([...write, '-f', 'ssh://user@host'], { environment });
  assert.equal(exitCode, 1);
  assert.match(stderr, /the snapshot over ssh failed: ended with status 3/);
  assert.deepEqual(
    readdirSync(directory).filter((name) => /^(out|mender-artifact-)/.test(name)),
    [],
  );
});

test('an address that could be taken for a flag is refused', async () => {
  for (const url of ['ssh://-oProxyCommand=x', 'ssh://user@host/path', 'ssh://', 'ssh://user@host:x']) {
    assert.equal((await run([...write, '-f', url], { environment })).exitCode, 1, url);
  }
});
