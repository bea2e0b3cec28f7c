import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

/*
 * Keys that never leave a PKCS#11 token: a real one in software (SoftHSM), asked by the commands the manual names; Debian's mender-artifact
 * judges what was signed.
 */

const peer = '/usr/bin/mender-artifact';
const project = resolve(import.meta.dirname, '../..');
const ours = join(project, 'node_modules/.bin/mender-artifact');
const image = join(project, 'packages/artifact/golden/good/inputs/small.img');
const softToken = '/usr/lib/softhsm/libsofthsm2.so';

const directory = mkdtempSync(join(tmpdir(), 'artifact-pkcs11-'));
after(() => rmSync(directory, { recursive: true }));

const environment = {
  ...process.env,
  SOFTHSM2_CONF: join(directory, 'softhsm2.conf'),
  PKCS11_MODULE_PATH: softToken,
  PIN: '271828',
};
const run = (program: string, args: readonly string[]) =>
  spawnSync(program, args, { encoding: 'utf8', cwd: directory, env: environment });
const must = (program: string, ...args: readonly string[]): string => {
  const { status, stdout, stderr } = run(program, args);
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
};

const login = ['--module', softToken, '--login', '--pin', 'env:PIN'];
const keys = { '01': 'rsa:2048', '02': 'EC:prime256v1' } as const;

before(() => {
  mkdirSync(join(directory, 'tokens'));
  writeFileSync(
    environment.SOFTHSM2_CONF,
    `directories.tokendir = ${directory}/tokens\nobjectstore.backend = file\n`,
  );
  must(
    'softhsm2-util',
    '--init-token',
    '--free',
    '--label',
    'build',
    '--pin',
    '271828',
    '--so-pin',
    '314159',
  );
  for (const [id, type] of Object.entries(keys)) {
    must('pkcs11-tool', ...login, '--keypairgen', '--key-type', type, '--id', id);
    must('pkcs11-tool', ...login, '--read-object', '--type', 'pubkey', '--id', id, '-o', `${id}.der`);
    must('openssl', 'pkey', '-pubin', '-inform', 'DER', '-in', `${id}.der`, '-out', `${id}.pem`);
  }
});

// prettier-ignore
const commands = [
  { name: 'RSA by pkcs11-tool',    id: '01', command: `pkcs11-tool --module ${softToken} --login --pin env:PIN --sign -m SHA256-RSA-PKCS --id 01` },
  { name: 'ECDSA by pkcs11-tool',  id: '02', command: `openssl dgst -sha256 -binary | pkcs11-tool --module ${softToken} --login --pin env:PIN --sign -m ECDSA --id 02` },
  { name: 'RSA by OpenSSL',        id: '01', command: `openssl dgst -sha256 -engine pkcs11 -keyform engine -sign "pkcs11:token=build;id=%01;pin-value=$PIN"` },
  { name: 'ECDSA by OpenSSL',      id: '02', command: `openssl dgst -sha256 -engine pkcs11 -keyform engine -sign "pkcs11:token=build;id=%02;pin-value=$PIN"` },
] as const;

for (const { name, id, command } of commands) {
  test(`a token signs: ${name}`, () => {
    const write = ['write', 'rootfs-image', '-c', 'd', '-n', 'a', '-f', image, '-o', 'a.mender'];
    must(ours, ...write, '--sign-command', command);
    must(peer, 'validate', '-k', `${id}.pem`, 'a.mender');

    must(ours, ...write);
    must(ours, 'sign', '--sign-command', command, 'a.mender');
    must(peer, 'validate', '-k', `${id}.pem`, 'a.mender');
    const other = id === '01' ? '02.pem' : '01.pem';
    assert.notEqual(run(peer, ['validate', '-k', other, 'a.mender']).status, 0);
  });
}

test('a token that refuses leaves the artifact as it was', () => {
  must(ours, 'write', 'rootfs-image', '-c', 'd', '-n', 'a', '-f', image, '-o', 'b.mender');
  const wrongPin = commands[0].command.replace('env:PIN', '000000');
  const { status, stderr } = run(ours, ['sign', '--sign-command', wrongPin, 'b.mender']);
  assert.equal(status, 1);
  assert.match(stderr, /the sign command failed with exit status 1/);
  assert.match(must(ours, 'read', 'b.mender'), /Signature: no signature/);
});
