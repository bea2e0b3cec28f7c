import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { ArtifactError } from './errors.ts';
import { readArtifact } from './read-artifact.ts';
import {
  decodeSignature,
  ecdsaSignatureFromDer,
  parseVerificationKey,
  signerFromPrivateKey,
} from './signature.ts';
import { goldenKey } from './test-data/golden.ts';
import { artifactBytes, fileOf, moduleArtifact } from './test-data/sample.ts';
import { noise, piecesOf, readAll } from './test-data/streams.ts';

const keys = ['rsa2048-pkcs1', 'rsa3072-pkcs8', 'rsa4096-pkcs8', 'ec256-sec1', 'ec256-pkcs8'] as const;
const wrongKey = parseVerificationKey(goldenKey('wrong-rsa2048.pub'));
const description = moduleArtifact({ 'a.bin': noise(1000) });

for (const name of keys) {
  const key = parseVerificationKey(goldenKey(`${name}.pub`));
  const signer = signerFromPrivateKey(goldenKey(`${name}.key`));

  test(`what ${name} signed is verified, also among other keys`, async () => {
    const bytes = await artifactBytes(description, { signer });
    for (const verificationKeys of [[key], [wrongKey, key]]) {
      const { artifact } = await readAll(bytes, { verificationKeys });
      assert.equal(artifact.signature, 'verified');
    }
    const { artifact } = await readAll(bytes);
    assert.equal(artifact.signature, 'notVerified');
  });

  test(`what ${name} signed is refused with another key`, async () => {
    const bytes = await artifactBytes(description, { signer });
    const other = parseVerificationKey(goldenKey('wrong-ec256.pub'));
    await assert.rejects(readAll(bytes, { verificationKeys: [other, wrongKey] }), {
      code: 'signatureInvalid',
    });
  });

  test(`a manifest altered after ${name} signed it is refused`, async () => {
    const bytes = await artifactBytes(description, { signer });
    const at = bytes.indexOf('  data/0000/a.bin') - 1;
    bytes[at] = bytes[at] === 0x30 ? 0x31 : 0x30;
    await assert.rejects(readAll(bytes, { verificationKeys: [key] }), { code: 'signatureInvalid' });
  });
}

test('an unsigned artifact is refused with a key given', async () => {
  const bytes = await artifactBytes(description);
  await assert.rejects(readAll(bytes, { verificationKeys: [wrongKey] }), { code: 'signatureMissing' });
});

test('with a key given nothing behind the manifest is looked at before the signature was found wrong', async () => {
  const signer = signerFromPrivateKey(goldenKey('rsa2048-pkcs1.key'));
  const bytes = await artifactBytes(description, { signer, compression: 'none' });
  // Everything behind the signature is garbage that any parser would choke on.
  const signatureAt = bytes.indexOf('manifest.sig');
  bytes.fill(0xff, signatureAt + 512 + 512);
  let hasSeenManifest = false;
  const reading = readArtifact(piecesOf(bytes), {
    verificationKeys: [wrongKey],
    onManifest: () => {
      hasSeenManifest = true;
    },
  });
  await assert.rejects(reading, { code: 'signatureInvalid' });
  assert.equal(hasSeenManifest, false);
});

test('whoever looks at the manifest can refuse it before the header is parsed', async () => {
  const bytes = await artifactBytes(description, { compression: 'none' });
  bytes.fill(0xff, bytes.indexOf('header.tar\0') + 512);
  const seen: string[] = [];
  const reading = readArtifact(piecesOf(bytes), {
    onManifest: (manifest, signature) => {
      seen.push(Buffer.from(manifest).toString(), String(signature));
      throw new Error('not this one');
    },
  });
  await assert.rejects(reading, { message: 'not this one' });
  assert.match(seen[0] ?? '', / {2}header\.tar\n/);
  assert.equal(seen[1], 'undefined');
});

test('augmented parts, which nobody signed, are refused with a key given unless they are asked for', async () => {
  const signer = signerFromPrivateKey(goldenKey('ec256-sec1.key'));
  const verificationKeys = [parseVerificationKey(goldenKey('ec256-sec1.pub'))];
  const augment = { type: 'directory', files: [fileOf('more', noise(5))] };
  const bytes = await artifactBytes({ ...description, augment }, { signer });
  await assert.rejects(readAll(bytes, { verificationKeys }), {
    code: 'signatureMissing',
    member: 'manifest-augment',
  });
  const { files } = await readAll(bytes, { verificationKeys, acceptAugmented: true });
  assert.equal(files.length, 2);
});

test('ECDSA signatures of any DER length become 64 bytes', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const lengths = new Set<number>();
  for (let round = 0; round < 2000 && lengths.size < 4; round += 1) {
    const der = createSign('sha256').update(String(round)).sign(privateKey);
    lengths.add(der.length);
    assert.equal(ecdsaSignatureFromDer(der).length, 64);
  }
  assert.ok(lengths.size >= 3);
  assert.throws(() => ecdsaSignatureFromDer(Buffer.alloc(70)), { code: 'signatureMalformed' });
});

test('a signature may have line breaks, but nothing else that is not base64', () => {
  assert.deepEqual(decodeSignature(Buffer.from('AA\r\nEC\n')), Buffer.from([0, 1, 2]));
  for (const text of ['', 'AAE', 'AA EC', 'AA-_', '====', 'AAEC=']) {
    assert.throws(() => decodeSignature(Buffer.from(text)), { code: 'signatureMalformed' }, text);
  }
});

test('keys that cannot sign or verify artifacts are refused with a word on what can', () => {
  const ed25519 = generateKeyPairSync('ed25519');
  const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  const publicPems = [
    ed25519.publicKey.export({ type: 'spki', format: 'pem' }),
    p384.publicKey.export({ type: 'spki', format: 'pem' }),
    goldenKey('rsa2048-pkcs1.key'),
    'no key',
    '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
  ];
  for (const pem of publicPems) {
    assert.throws(
      () => parseVerificationKey(pem.toString()),
      (error) => error instanceof ArtifactError && error.code === 'unusableKey',
    );
  }
  for (const pair of [ed25519, p384]) {
    const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    assert.throws(() => signerFromPrivateKey(pem), { code: 'unusableKey' });
  }
});
