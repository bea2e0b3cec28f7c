import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signToken, tokenVerifier, type Claims, type Proven } from './json-web-token.ts';
import { loadSigningKeys, type SigningKeys } from './signing-keys.ts';

const claims: Claims = { jti: 'j', sub: 's', iss: 'Mender', iat: 1000, exp: 2000, 'mender.device': true };
const proven: Proven = { jti: 'j', sub: 's', exp: 2000, 'mender.device': true };
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('tokens', () => {
  let directory: string;
  let keys: SigningKeys;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-keys-'));
    keys = await loadSigningKeys(directory, 'device-tokens');
  });
  after(() => rm(directory, { recursive: true }));

  it('are RS256 with the number of their key, and read as they were written until they end', () => {
    const token = signToken(claims, keys);
    assert.deepEqual(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()), {
      alg: 'RS256',
      typ: 'JWT',
      kid: 0,
    });
    const verify = tokenVerifier(keys, 10);
    assert.deepEqual(verify(token, 1500), proven);
    assert.deepEqual(verify(token, 1999), proven, 'from the cache');
    assert.equal(verify(token, 2000), undefined, 'the cache holds no permission, only the proof');
  });

  it('count for nothing when their header says another algorithm, none, or another key', () => {
    const verify = tokenVerifier(keys, 10);
    const forged = (header: object, mac: (text: string) => Buffer) => {
      const text = `${encode(header)}.${encode(claims)}`;
      return `${text}.${mac(text).toString('base64url')}`;
    };
    const rsa = (text: string) => sign('sha256', Buffer.from(text), keys.signing.privateKey);
    const publicPem = createPublicKey(keys.signing.privateKey).export({ type: 'spki', format: 'pem' });
    for (const [what, token] of [
      ['alg none', forged({ alg: 'none', kid: 0 }, () => Buffer.alloc(0))],
      [
        'HMAC with the public key',
        forged({ alg: 'HS256', kid: 0 }, (text) => createHmac('sha256', publicPem).update(text).digest()),
      ],
      ['EdDSA with an RSA key', forged({ alg: 'EdDSA', kid: 0 }, rsa)],
      ['an unknown key', forged({ alg: 'RS256', kid: 9 }, rsa)],
      ['no key', forged({ alg: 'RS256' }, rsa)],
      ['a signature of something else', forged({ alg: 'RS256', kid: 0 }, () => rsa('other'))],
      ['two parts', 'a.b'],
      ['four parts', `${signToken(claims, keys)}.x`],
      ['nothing', ''],
    ] as const) {
      assert.equal(verify(token, 1500), undefined, what);
    }
    assert.deepEqual(verify(forged({ alg: 'RS256', kid: 0 }, rsa), 1500), proven, 'the same, made rightly');
  });

  it('of users do not pass for those of devices', async () => {
    const userKeys = await loadSigningKeys(directory, 'user-tokens');
    assert.equal(tokenVerifier(keys, 10)(signToken(claims, userKeys), 1500), undefined);
  });

  it('are signed by the newest key, and those of the older ones still count; Ed25519 is welcome', async () => {
    const old = signToken(claims, keys);
    const { privateKey } = generateKeyPairSync('ed25519');
    const path = join(directory, 'device-tokens.1.pem');
    await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o644 });
    const both = await loadSigningKeys(directory, 'device-tokens');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal(both.signing.algorithm, 'EdDSA');
    const verify = tokenVerifier(both, 10);
    assert.deepEqual(verify(old, 1500), proven);
    assert.deepEqual(verify(signToken(claims, both), 1500), proven);
  });

  it('are remembered up to the bound of the cache, and read again beyond it', () => {
    const verify = tokenVerifier(keys, 2);
    const tokens = ['a', 'b', 'c'].map((jti) => signToken({ ...claims, jti }, keys));
    for (const round of [1, 2]) {
      for (const token of tokens) assert.ok(verify(token, 1500), `round ${round}`);
    }
  });
});
