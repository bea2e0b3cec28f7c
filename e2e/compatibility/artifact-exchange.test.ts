import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';

/*
 * Artifacts go both ways between ours and Debian's mender-artifact 3.9, called by its absolute path since ours bears the same name. Members are
 * compared byte by byte but for the list in `normalised`.
 */

const peer = '/usr/bin/mender-artifact';
const project = resolve(import.meta.dirname, '../..');
const ours = join(project, 'node_modules/.bin/mender-artifact');
const golden = (file: string) => join(project, 'packages/artifact/golden/good', file);

test('the peer is the version these tests are about', () => {
  assert.ok(existsSync(peer), `install it: apt install mender-artifact`);
  assert.match(execFileSync(peer, ['--version'], { encoding: 'utf8' }), /version 3\.9\./);
});

const directory = await mkdtemp(join(tmpdir(), 'artifact-exchange-'));
after(() => rm(directory, { recursive: true }));

const must = (program: string, args: readonly string[]): string => {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: directory });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
};

const kinds = {
  'a root file system': [
    'write',
    'rootfs-image',
    '-t',
    'beaglebone',
    '-n',
    'release-1',
    '-f',
    golden('inputs/rootfs.ext4'),
    '-p',
    'a:b',
    '-d',
    'c:d',
    '-N',
    'release-0',
    '-g',
    'north',
  ],
  'an update module': [
    'write',
    'module-image',
    '-t',
    'rpi',
    '-t',
    'rpi5',
    '-n',
    'app-2',
    '-T',
    'dir',
    '-f',
    golden('inputs/app.bin'),
    '-f',
    golden('inputs/note.txt'),
    '-f',
    golden('inputs/empty.dat'),
    '-m',
    golden('inputs/meta.json'),
    '--clears-provides',
    'x*',
    '-G',
    'south',
  ],
  'state scripts': [
    'write',
    'module-image',
    '-t',
    'bb',
    '-n',
    's',
    '-T',
    'm',
    '-f',
    golden('inputs/note.txt'),
    '-s',
    golden('inputs/scripts1'),
  ],
  'an augmentation': [
    'write',
    'module-image',
    '-t',
    'bb',
    '-n',
    'aug',
    '-T',
    'delta',
    '-f',
    golden('inputs/note.txt'),
    '-m',
    golden('inputs/meta.json'),
    '--augment-type',
    'delta',
    '--augment-file',
    golden('inputs/app.bin'),
    '--augment-meta-data',
    golden('inputs/meta-aug.json'),
    '--augment-depends',
    'a:b',
    '--augment-provides',
    'c:d',
  ],
  'an empty payload': [
    'write',
    'bootstrap-artifact',
    '-t',
    'rpi',
    '-n',
    'boot',
    '-p',
    'rootfs-image.version:v0',
    '--clears-provides',
    'rootfs-image.*',
  ],
  'format version 2': [
    'write',
    'rootfs-image',
    '-v',
    '2',
    '-t',
    'bb',
    '-n',
    'v2',
    '-f',
    golden('inputs/small.img'),
  ],
} as const;

const keys = [undefined, 'rsa2048-pkcs1', 'ec256-sec1'] as const;
for (const [column, compression] of (['none', 'gzip', 'lzma'] as const).entries()) {
  for (const [row, [kind, command]] of Object.entries(kinds).entries()) {
    // Each kind meets each compression once, and over all of them each key.
    for (const key of [keys[(row + column) % keys.length]]) {
      const sign = key === undefined ? [] : ['-k', golden(`keys/${key}.key.pem`)];
      const verify = key === undefined ? [] : ['-k', golden(`keys/${key}.pub.pem`)];
      const name = `${kind}, ${compression}, ${key === undefined ? 'unsigned' : `signed with ${key}`}`;
      test(`${name}: each accepts what the other wrote, with the same contents`, () => {
        const flags = [...sign, '--compression', compression];
        must(peer, [...command, ...flags, '-o', 'theirs.mender']);
        must(ours, [...command, ...flags, '-o', 'ours.mender']);
        must(ours, ['validate', ...verify, 'theirs.mender']);
        must(peer, ['validate', ...verify, 'ours.mender']);
        assert.deepEqual(normalised('ours.mender'), normalised('theirs.mender'));
      });
    }
  }
}

test('both tell the same of an artifact to dump', () => {
  must(ours, [...kinds['an update module'], '-o', 'dump.mender']);
  const words = (text: string) =>
    text.trim().replaceAll('--device-type', '--compatible-types').split(' --').toSorted();
  assert.deepEqual(
    words(must(ours, ['dump', '--print-cmdline', 'dump.mender'])),
    words(must(peer, ['dump', '--print-cmdline', 'dump.mender'])),
  );
});

test('what ours changed, the peer accepts', () => {
  must(ours, [...kinds['a root file system'], '-o', 'changed.mender']);
  must(ours, ['modify', '-n', 'renamed', '-g', 'south', 'changed.mender']);
  must(ours, ['cp', golden('inputs/note.txt'), 'changed.mender:/etc/note']);
  must(ours, ['sign', '-k', golden('keys/ec256-sec1.key.pem'), 'changed.mender']);
  must(peer, ['validate', '-k', golden('keys/ec256-sec1.pub.pem'), 'changed.mender']);
  assert.equal(
    must(peer, ['cat', 'changed.mender:/etc/note']),
    readFileSync(golden('inputs/note.txt'), 'utf8'),
  );
  assert.equal(
    must(peer, ['cat', 'changed.mender:/etc/mender/artifact_info']).trim(),
    'artifact_name=renamed',
  );
});

test('neither changes an artifact that is augmented', () => {
  must(ours, [...kinds['an augmentation'], '-o', 'augmented.mender']);
  const before = readFileSync(join(directory, 'augmented.mender'));
  for (const program of [peer, ours]) {
    const { status, stderr } = spawnSync(program, ['modify', '-n', 'renamed', 'augmented.mender'], {
      encoding: 'utf8',
      cwd: directory,
    });
    assert.equal(status, 1, program);
    assert.match(stderr, /augmented artifact/i);
  }
  assert.ok(readFileSync(join(directory, 'augmented.mender')).equals(before));
});

for (const level of ['zstd', 'zstd_fastest', 'zstd_fast', 'zstd_better', 'zstd_best']) {
  test(`the zstd program accepts what ours wrote with ${level}`, () => {
    must(ours, [...kinds['a root file system'], '--compression', level, '-o', 'zstd.mender']);
    for (const member of ['header.tar.zst', 'data/0000.tar.zst']) {
      const input = execFileSync('tar', ['-xOf', 'zstd.mender', member], {
        cwd: directory,
        maxBuffer: 2 ** 28,
      });
      execFileSync('zstd', ['-tq', '-'], { input });
    }
    must(ours, ['validate', 'zstd.mender']);
  });
}

/**
 * What an artifact consists of, without what is allowed to differ:
 * - mode, owner and time of entries (ours are fixed),
 * - compressed bytes and with them the manifest's checksum of the header (contents are compared instead),
 * - the signature itself (each is verified above),
 * - the order of state scripts (the peer's is random) ,
 * - the empty type in type-info of a root file system, a fault of the peer.
 */
function normalised(artifact: string): unknown {
  const path = join(directory, artifact);
  const members = untar(readFileSync(path));
  return members.map(({ name, content }) => {
    if (name === 'manifest.sig') return [name];
    if (name.startsWith('manifest'))
      return [name, content.toString().replace(/^[0-9a-f]{64}(?= {2}header)/gm, 'HEADER')];
    if (!name.includes('.tar')) return [name, content.toString()];
    const inner = untar(decompressed(name, content)).map((entry) => [
      entry.name,
      entry.name.endsWith('type-info') ? typed(entry.content) : sha256(entry.content),
    ]);
    const isScript = (entry: readonly unknown[]) => String(entry[0]).startsWith('scripts/');
    return [
      name,
      inner.filter((entry) => !isScript(entry)),
      inner.filter(isScript).map(String).toSorted(compareText),
    ];
  });
}

function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function typed(content: Buffer): string {
  return content.toString().replace('{"type":""', '{"type":"rootfs-image"');
}

function decompressed(name: string, content: Buffer): Buffer {
  const program = name.endsWith('.gz') ? 'gzip' : name.endsWith('.xz') ? 'xz' : undefined;
  return program === undefined
    ? content
    : execFileSync(program, ['-dc'], { input: content, maxBuffer: 2 ** 28 });
}

function untar(bytes: Buffer): readonly { readonly name: string; readonly content: Buffer }[] {
  const entries: { name: string; content: Buffer }[] = [];
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const name = bytes.toString('utf8', at, bytes.indexOf(0, at));
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    entries.push({ name, content: bytes.subarray(at + 512, at + 512 + size) });
    at += 512 + 512 * Math.ceil(size / 512);
  }
  return entries;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
