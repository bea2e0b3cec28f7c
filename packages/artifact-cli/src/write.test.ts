import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseVerificationKey, readArtifact } from '@tandem/artifact';
import { decompressors } from './compressions.ts';
import { golden, goldenDirectory, goodCases, type GoodCase } from './test-data/golden.ts';
import { run } from './test-data/run.ts';

const directory = await mkdtemp(join(tmpdir(), 'artifact-cli-'));
after(() => rm(directory, { recursive: true }));
cpSync(join(goldenDirectory, 'inputs'), join(directory, 'inputs'), { recursive: true });

/** The command of a case, its inputs and output where this test can reach them. */
function placed(command: readonly string[], out: string): readonly string[] {
  const output = command.indexOf('-o') + 1;
  return command.slice(1).map((word, index) => {
    if (index + 1 === output) return out;
    return /^(inputs|keys)\//.test(word) ? golden(word) : word;
  });
}

async function inspect(path: string) {
  const source = async function* () {
    yield readFileSync(path);
  };
  const artifact = await readArtifact(source(), { decompressors });
  const files: string[] = [];
  for await (const { name, sha256 } of artifact.files()) files.push(`${sha256}  data/0000/${name}`);
  const members = execFileSync('tar', ['-tf', path]).toString().trim().split('\n');
  return { artifact, files, members };
}

const isOneWrite = ({ commands }: GoodCase) => commands.length === 1 && commands[0]?.[1] === 'write';
for (const { id, commands, inspect: expected, expect } of goodCases().filter(isOneWrite)) {
  test(`the command that made ${id} makes the same artifact here`, async () => {
    const out = join(directory, `${id}.mender`);
    const { exitCode, stderr } = await run(placed(commands[0] ?? [], out));
    assert.equal(exitCode, 0, stderr);
    const { artifact, files, members } = await inspect(out);
    assert.deepEqual(
      members,
      expected.members.map(({ name }) => name),
    );
    assert.deepEqual(JSON.parse(Buffer.from(artifact.rawHeaderInfo).toString()), expected.header_info);
    assert.deepEqual(
      artifact.scripts.map(({ name }) => name),
      expect.scripts_in_order.toSorted(),
    );
    const listed = expected.manifest.split('\n').filter((line) => line.includes('data/0000/'));
    assert.deepEqual(files.slice(0, listed.length), listed);
    const [payload] = artifact.payloads;
    if (expected.payload_headers_augment !== undefined) return;
    const typeInfo = JSON.parse(Buffer.from(payload?.raw.typeInfo ?? []).toString()) as Record<
      string,
      unknown
    >;
    const reference = expected.payload_headers['0000']?.['type-info'];
    // mender-artifact 3.9 left the type of a root file system empty.
    assert.deepEqual(
      typeInfo,
      reference?.['type'] === '' ? { ...reference, type: 'rootfs-image' } : reference,
    );
    assert.deepEqual(payload?.metaData ?? null, expected.payload_headers['0000']?.['meta-data'] ?? null);
    assert.equal(
      payload?.raw.metaData !== undefined,
      expected.header_entries.includes('headers/0000/meta-data'),
    );
  });
}

const signProgram = fileURLToPath(new URL('test-data/sign.ts', import.meta.url));
const base = ['write', 'rootfs-image', '-c', 'bb', '-n', 'r1', '-f', golden('inputs/small.img')];
const module = [
  'write',
  'module-image',
  '-c',
  'bb',
  '-n',
  'r1',
  '-T',
  'single-file',
  '-f',
  golden('inputs/app.bin'),
];

test('to stdout goes the artifact and nothing else', async () => {
  const streamed = await run([...base, '-t', 'old', '-o', '-']);
  const out = join(directory, 'same.mender');
  await run([...base, '-t', 'old', '-o', out]);
  assert.ok(streamed.stdoutBytes.equals(readFileSync(out)));
  assert.match(streamed.stderr, /^warning: --device-type is deprecated/);
});

test('flags are taken in every form the reference takes', async () => {
  const out = join(directory, 'forms.mender');
  const image = golden('inputs/small.img');
  const forms = [
    'write',
    'rootfs-image',
    `--file=${image}`,
    '-compatible-types',
    'a',
    '-c=b',
    '--artifact-name',
    'r',
    '-o',
    out,
  ];
  assert.equal((await run(forms)).exitCode, 0);
  const { artifact } = await inspect(out);
  assert.deepEqual(artifact.headerInfo.depends.deviceTypes, ['a', 'b']);
});

test('the later of a pair and a software flag counts', async () => {
  const provides = async (...flags: string[]) => {
    const out = join(directory, 'later.mender');
    assert.equal((await run([...base, '--no-checksum-provide', ...flags, '-o', out])).exitCode, 0);
    return (await inspect(out)).artifact.payloads[0]?.provides;
  };
  const pair = ['-p', 'rootfs-image.version:pair'];
  assert.deepEqual(await provides(...pair), { 'rootfs-image.version': 'pair' });
  assert.deepEqual(await provides('--software-version', 'flag', ...pair), { 'rootfs-image.version': 'pair' });
  assert.deepEqual(await provides(...pair, '--software-version', 'flag'), { 'rootfs-image.version': 'flag' });
  assert.deepEqual(await provides('--no-default-software-version'), undefined);
  assert.deepEqual(await provides('--no-default-software-version', '--software-version', '9'), {
    'rootfs-image.version': '9',
  });
});

test('compression may be asked for before the command; behind it counts more', async () => {
  const made = async (...args: string[]) => {
    const out = join(directory, 'compression.mender');
    assert.equal((await run([...args, '-o', out])).exitCode, 0);
    return (await inspect(out)).artifact.compression;
  };
  assert.equal(await made(...base), 'gzip');
  assert.equal(await made('--compression', 'none', ...base), 'none');
  assert.equal(await made('--compression=none', ...base, '--compression', 'lzma'), 'lzma');
  assert.equal(await made(...base, '--compression', 'zstd_best'), 'zstd');
});

test('as tandem-artifact the default is zstd', async () => {
  const out = join(directory, 'tandem.mender');
  await run([...base, '-o', out], { programName: 'tandem-artifact' });
  assert.equal((await inspect(out)).artifact.compression, 'zstd');
});

test('SOURCE_DATE_EPOCH is the time of all files', async () => {
  const { stdoutBytes } = await run([...base, '-o', '-'], {
    environment: { SOURCE_DATE_EPOCH: '1234567890' },
  });
  const list = execFileSync('tar', ['-tvf', '-', '--utc', '--full-time'], { input: stdoutBytes }).toString();
  assert.equal(list.match(/2009-02-13 23:31:30/g)?.length, 4);
  const wrong = await run([...base, '-o', '-'], { environment: { SOURCE_DATE_EPOCH: 'yesterday' } });
  assert.equal(wrong.exitCode, 1);
});

test('a program that keeps the key elsewhere can sign', async () => {
  for (const name of ['rsa3072-pkcs8', 'ec256-sec1']) {
    const out = join(directory, `${name}.mender`);
    const key = golden(`keys/${name}.key.pem`);
    for (const encoding of ['latin1', 'base64']) {
      const command = `${process.execPath} ${signProgram} ${key} ${encoding}`;
      const { exitCode, stderr } = await run([...base, '--sign-command', command, '-o', out]);
      assert.equal(exitCode, 0, stderr);
      const verificationKeys = [parseVerificationKey(readFileSync(golden(`keys/${name}.pub.pem`), 'utf8'))];
      const source = async function* () {
        yield readFileSync(out);
      };
      assert.equal((await readArtifact(source(), { verificationKeys })).signature, 'verified');
    }
  }
});

test('a program that does not sign leaves no artifact', async () => {
  const out = join(directory, 'unsigned.mender');
  for (const command of ['false', 'echo hello', 'cat /dev/zero']) {
    const { exitCode, stderr } = await run([...base, '--sign-command', command, '-o', out]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /^the sign command [^\n]+\n$/);
    assert.equal(existsSync(out), false);
  }
});

const refused: readonly (readonly [
  what: string,
  args: readonly string[],
  exitCode: number,
  message: RegExp,
])[] = [
  [
    'no name',
    ['write', 'rootfs-image', '-c', 'a', '-f', 'x'],
    1,
    /^Required flag "artifact-name" not set\n$/,
  ],
  ['neither name nor file', ['write', 'rootfs-image'], 1, /^Required flags "artifact-name, file" not set\n$/],
  ['no device type', ['write', 'rootfs-image', '-n', 'a', '-f', 'x'], 1, /"compatible-types" not set/],
  ['white space in the name', [...base, '-n', 'a b'], 1, /whitespace is not allowed in the artifact-name/],
  ['a format of version 1', [...base, '-v', '1'], 2, /version: 1/],
  ['a format of version 4', [...base, '-v', '4'], 2, /version: 4/],
  ['version 2 for a module', [...module, '-v', '2'], 1, /version 3/],
  ['a pair without a colon', [...base, '-p', 'x'], 1, /argument must have a delimiting colon: x/],
  ['meta-data that is a list', [...module, '-m', golden('inputs/app.bin')], 1, /meta-data/],
  [
    'augmentation without a type',
    [...module, '--augment-provides', 'a:b'],
    1,
    /Must give --augment-type argument/,
  ],
  ['a compression there is not', [...base, '--compression', 'bzip2'], 1, /unknown compression "bzip2"/],
  ['a key of a cloud', [...base, '--azure-key', 'x'], 1, /--sign-command/],
  ['a key that is none', [...base, '-k', golden('inputs/note.txt')], 1, /key/],
  ['an image that is not there', [...base, '-f', '/nonexistent'], 1, /nonexistent/],
  [
    'an unknown flag',
    [...base, '--frobnicate'],
    1,
    /^Incorrect Usage: flag provided but not defined: -frobnicate\n$/,
  ],
  ['a flag without its value', [...base, '-o'], 1, /flag needs an argument: -o/],
  ['a place that is not there', [...base, '-o', '/nonexistent/x.mender'], 3, /cannot write the artifact/],
  ['an unknown command', ['frobnicate'], 3, /^No help topic for 'frobnicate'\n$/],
];
for (const [what, args, exitCode, message] of refused) {
  test(`refused with one line and status ${exitCode}: ${what}`, async () => {
    const withOutput =
      args.includes('-o') || args[0] !== 'write' ? args : [...args, '-o', join(directory, 'refused.mender')];
    const result = await run(withOutput);
    assert.match(result.stderr, message);
    assert.equal(result.stderr.trimEnd().split('\n').length, 1, result.stderr);
    assert.equal(result.exitCode, exitCode);
    assert.deepEqual(
      (await readdir(directory)).filter((name) => name.startsWith('refused')),
      [],
    );
  });
}

test('an artifact over the size that is allowed is deleted', async () => {
  const out = join(directory, 'size.mender');
  const warned = await run([
    ...base,
    '-o',
    out,
    '--warn-artifact-size',
    '1kb',
    '--max-artifact-size',
    '1.5MB',
  ]);
  assert.equal(warned.exitCode, 0);
  assert.match(warned.stderr, /^warning: Artifact size \d+\.\d KB exceeds specified limit 1kb\n$/);
  assert.ok(statSync(out).size > 1000);
  const deleted = await run([...base, '-o', out, '--max-artifact-size', '1KB']);
  assert.equal(deleted.exitCode, 3);
  assert.match(deleted.stderr, /^Artifact size \d+\.\d KB exceeds maximum allowed size 1KB; file deleted\n$/);
  assert.equal(existsSync(out), false);
});

test('a directory of scripts adds all of them', async () => {
  const out = join(directory, 'scripts.mender');
  await run([...base, '-s', golden('inputs/scripts1'), '-o', out]);
  assert.equal((await inspect(out)).artifact.scripts.length, 15);
  const twice = await run([
    ...base,
    '-s',
    golden('inputs/scripts2'),
    '-s',
    golden('inputs/scripts2'),
    '-o',
    out,
  ]);
  assert.equal(twice.exitCode, 1);
});

test('meta-data in an empty file is none', async () => {
  const empty = join(directory, 'empty.json');
  await writeFile(empty, '');
  const out = join(directory, 'no-meta-data.mender');
  assert.equal((await run([...module, '-m', empty, '-o', out])).exitCode, 0);
  assert.equal((await inspect(out)).artifact.payloads[0]?.metaData, undefined);
});

test('on a terminal a bar shows how much is done; in a pipe, and when it is not wanted, nothing does', async () => {
  const path = join(directory, 'progress.mender');
  const args = ['write', 'rootfs-image', '-c', 'd', '-n', 'r', '-f', golden('inputs/small.img'), '-o', path];
  for (const command of [args, ['read', path], ['validate', path]]) {
    const drawn = (await run(command, { isTerminal: true })).stderr;
    assert.match(drawn, /\r\[=+ *\] +\d+ %/);
    assert.ok(drawn.endsWith('\r\u001B[K'), 'wiped away at the end');
    assert.equal((await run(command)).stderr, '');
  }
  for (const command of [args, ['read', path]])
    assert.doesNotMatch((await run([...command, '--no-progress'], { isTerminal: true })).stderr, /%/);
});
