import assert from 'node:assert/strict';
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { linuxFiles } from '../system/linux-files.ts';
import { loadOrMakeDeviceKey } from './key-file.ts';

const directory = await mkdtemp(join(tmpdir(), 'key-file-'));
after(() => rm(directory, { recursive: true }));
const forever = new AbortController().signal;
const files = linuxFiles();

for (const [name, pair, check] of [
  [
    'RSA by PKCS #1 v1.5 and SHA-256',
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    (pub: string, sig: Buffer) => createVerify('RSA-SHA256').update('body').verify(pub, sig),
  ],
  [
    'ECDSA in DER over SHA-256',
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    (pub: string, sig: Buffer) =>
      createVerify('SHA256').update('body').verify({ key: pub, dsaEncoding: 'der' }, sig),
  ],
] as const) {
  test(`signs with a key from elsewhere: ${name}`, async () => {
    const path = join(directory, 'elsewhere.pem');
    await writeFile(path, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o644 });
    const loaded = await loadOrMakeDeviceKey(files, { path, madeElsewhere: true });
    const signature = await loaded.sign(Buffer.from('body'), forever);
    assert.ok(check(loaded.publicKeyPem, Buffer.from(signature, 'base64')));
    assert.equal((await stat(path)).mode & 0o777, 0o600, 'others can no longer read it');
  });
}

test('keeps the key it made, unreadable for others, and names one that cannot be used', async () => {
  const path = join(directory, 'made.pem');
  const made = await loadOrMakeDeviceKey(files, { path, madeElsewhere: false, passphrase: 'secret' });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const again = await loadOrMakeDeviceKey(files, { path, madeElsewhere: false, passphrase: 'secret' });
  assert.equal(again.publicKeyPem, made.publicKeyPem);
  await assert.rejects(loadOrMakeDeviceKey(files, { path, madeElsewhere: false }), {
    code: 'badKey',
    message: /made\.pem/,
  });
  const missing = join(directory, 'missing.pem');
  await assert.rejects(loadOrMakeDeviceKey(files, { path: missing, madeElsewhere: true }), {
    code: 'badKey',
  });
  assert.equal(await files.read(missing, 1), undefined, 'a static key is never made');
});
