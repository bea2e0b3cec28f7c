import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { ownProgram } from '@tandem/demo';
import { until } from './until.ts';

/** Snapshots of a real, mounted ext4 that somebody writes to, frozen by the real fsfreeze. */
assert.ok(
  existsSync('/usr/sbin/fsfreeze'),
  '/usr/sbin/fsfreeze is missing: install it with "apt-get install util-linux"',
);
assert.equal(process.getuid?.(), 0, 'to mount and to freeze a file system, this test needs root');

const root = await mkdtemp(join(tmpdir(), 'snapshot-'));
const mountPoint = join(root, 'mounted');
const image = join(root, 'image');
const datastore = join(root, 'data');
let loop = '';

before(async () => {
  await mkdir(mountPoint);
  await mkdir(datastore);
  const file = await open(image, 'w');
  await file.truncate(64 << 20);
  await file.close();
  execFileSync('mkfs.ext4', ['-q', '-F', image]);
  loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  execFileSync('mount', ['-t', 'ext4', loop, mountPoint]);
  await writeFile(join(mountPoint, 'ballast'), createHash('shake256', { outputLength: 16 << 20 }).digest());
});
after(async () => {
  execFileSync('umount', [mountPoint]);
  execFileSync('losetup', ['--detach', loop]);
  await rm(root, { recursive: true });
});

const environment = {
  ...process.env,
  MENDER_CONF_DIR: join(root, 'etc'),
  MENDER_DATASTORE_DIR: datastore,
};

function start(
  words: readonly string[],
  program: 'mender' | 'tandem-update' = 'tandem-update',
  stdout: 'pipe' | number = 'pipe',
) {
  const path = join(ownProgram('mender-update'), '..', program);
  const child = spawn(process.execPath, [path, 'snapshot', 'dump', ...words], {
    stdio: ['ignore', stdout, 'pipe'],
    env: environment,
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  return { child, said: () => said };
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

/** Whether somebody can write to the file system; a frozen one would hold up whoever tries. */
function isWritable(): boolean {
  try {
    execFileSync('timeout', ['-s', 'KILL', '0.5', 'sh', '-c', `echo x > '${mountPoint}/probe'`], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

async function take(words: readonly string[], program?: 'mender' | 'tandem-update') {
  const dump = start(words, program);
  const chunks: Buffer[] = [];
  dump.child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const exitCode = await ended(dump.child);
  return { exitCode, content: Buffer.concat(chunks), said: dump.said() };
}

describe('a snapshot of a file system in use', () => {
  for (const program of ['tandem-update', 'mender'] as const) {
    test(`is whole and in itself right, while somebody writes (${program})`, async () => {
      let writing = true;
      const writer = (async () => {
        for (let count = 0; writing; count++)
          await appendFile(join(mountPoint, `log-${count % 7}`), `line ${count}\n`.repeat(100));
      })();
      const { exitCode, content, said } = await take(['--source', mountPoint], program);
      writing = false;
      await writer;
      assert.equal(exitCode, 0, said);
      assert.equal(content.length, 64 << 20);
      assert.match(said, /^Initializing snapshot\.\.\.\n[^]*\r100%\nDumped 67108864 bytes\n$/);
      const copy = join(root, 'copy');
      await writeFile(copy, content);
      // Nothing to mend, and no journal to play back: it is the file system as it was on the medium at one moment.
      execFileSync('e2fsck', ['-n', '-f', copy], { stdio: 'pipe' });
      execFileSync('debugfs', ['-R', `dump /ballast ${root}/ballast`, copy], { stdio: 'pipe' });
      assert.deepEqual(await readFile(join(root, 'ballast')), await readFile(join(mountPoint, 'ballast')));
      assert.ok(isWritable());
    });
  }

  test('can be taken by the block device, compressed, and without a word', async () => {
    const { exitCode, content, said } = await take(['--source', loop, '-C', 'gzip', '-q']);
    assert.deepEqual([exitCode, said], [0, '']);
    const whole = gunzipSync(content);
    assert.equal(whole.length, 64 << 20);
    const copy = join(root, 'copy');
    await writeFile(copy, whole);
    execFileSync('e2fsck', ['-n', '-f', copy], { stdio: 'pipe' });
  });

  test('ends well for the file system when the program that takes it is killed', async () => {
    // Its output is taken no further than the pipe is long, so that it stands still in the middle.
    const { child } = start(['--source', mountPoint]);
    child.stdout?.pause();
    await until('the file system is frozen', async () => (isWritable() ? undefined : true));
    child.kill('SIGKILL');
    await until('the file system is thawed', async () => (isWritable() ? true : undefined), 5000);
  });

  test('that nobody takes is given up after 30 s, and the file system goes on', async () => {
    const { child, said } = start(['--source', mountPoint]);
    child.stdout?.pause();
    await until('the file system is frozen', async () => (isWritable() ? undefined : true));
    const frozenAt = Date.now();
    await until('the file system is thawed', async () => (isWritable() ? true : undefined), 45_000);
    assert.ok(Date.now() - frozenAt > 20_000);
    child.stdout?.resume();
    assert.equal(await ended(child), 1);
    assert.match(said(), /was thawed: what there is of the snapshot is worth nothing/);
  });

  test('is ended by SIGINT, and the file system goes on', async () => {
    const { child } = start(['--source', mountPoint]);
    child.stdout?.pause();
    await until('the file system is frozen', async () => (isWritable() ? undefined : true));
    child.kill('SIGINT');
    child.stdout?.resume();
    assert.equal(await ended(child), 1);
    assert.ok(isWritable());
  });
});

describe('a snapshot that would do harm', () => {
  // prettier-ignore
  const refusals = [
    { name: 'of the file system of the client itself', words: ['--source', root],                                 says: /the client must be able to write there/ },
    { name: 'of a file system without a device',       words: ['--source', '/proc'],                              says: /on no block device/ },
    { name: 'in a compression there is not',           words: ['--source', mountPoint, '--compression', 'lzma'],  says: /Unknown compression 'lzma': there are none and gzip/ },
  ] as const;
  for (const { name, words, says } of refusals) {
    test(`${name} is refused`, async () => {
      const { exitCode, content, said } = await take(words);
      assert.deepEqual([exitCode, content.length], [1, 0]);
      assert.match(said, says);
      assert.ok(isWritable());
    });
  }

  test('into a file on the same file system is refused', async () => {
    const target = await open(join(mountPoint, 'snapshot'), 'w');
    const { child, said } = start(['--source', mountPoint], 'tandem-update', target.fd);
    assert.equal(await ended(child), 1);
    await target.close();
    assert.match(said(), /Send it elsewhere/);
    assert.equal((await stat(join(mountPoint, 'snapshot'))).size, 0);
  });

  test('onto a terminal is refused', async () => {
    const typescript = join(root, 'typescript');
    const path = join(ownProgram('mender-update'), '..', 'mender');
    const child = spawn(
      'script',
      ['-qec', `${process.execPath} ${path} snapshot dump --source ${mountPoint}`, typescript],
      {
        env: environment,
        stdio: 'ignore',
      },
    );
    assert.equal(await ended(child), 1);
    assert.match(await readFile(typescript, 'utf8'), /Will not write a file system to a terminal/);
  });
});

test('a read-only file system is dumped without being frozen', async () => {
  execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
  try {
    const { exitCode, content, said } = await take(['--source', join(mountPoint, 'ballast')]);
    assert.equal(exitCode, 0, said);
    const onMedium = createHash('sha256');
    for await (const chunk of createReadStream(image)) onMedium.update(chunk as Buffer);
    assert.equal(createHash('sha256').update(content).digest('hex'), onMedium.digest('hex'));
  } finally {
    execFileSync('mount', ['-o', 'remount,rw', mountPoint]);
  }
});
