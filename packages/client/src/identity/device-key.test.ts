import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { linuxFiles } from '../system/linux-files.ts';
import { linuxProcesses } from '../system/linux-processes.ts';
import { openDeviceKey, type KeySource } from './device-key.ts';

const directory = await mkdtemp(join(tmpdir(), 'device-key-'));
after(() => rm(directory, { recursive: true }));
const system = { files: linuxFiles(), processes: linuxProcesses(process.env, 100) };
const forever = new AbortController().signal;
const body = Buffer.from('{"id_data":"{\\"mac\\":\\"a\\"}"}');
const quoted = (path: string) => `'${path}'`;

/** What stands for hardware: a program of the owner that signs what it reads, in the form that is asked for. */
const signer = join(directory, 'sign.mjs');
await writeFile(
  signer,
  `import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
const [, , path, encoding, output] = process.argv;
const key = createPrivateKey(readFileSync(path));
const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
const signature = sign(digest, readFileSync(0), { key, dsaEncoding: encoding });
process.stdout.write(output === 'base64' ? signature.toString('base64') + '\\n' : signature);
`,
);

const pairs = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  ed25519: generateKeyPairSync('ed25519'),
} as const;

async function written(name: string, content: string | Buffer): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

const privatePem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' });
const node = quoted(process.execPath);

const publicFile = await written(
  'rows.pub',
  pairs['P-256'].publicKey.export({ type: 'spki', format: 'pem' }),
);
const otherKey = await written('other.pem', privatePem(pairs.rsa.privateKey));

describe('a device key behind a command of the owner', () => {
  for (const [name, { privateKey, publicKey }] of Object.entries(pairs)) {
    for (const encoding of name.startsWith('P') ? ['der', 'ieee-p1363'] : ['der']) {
      for (const output of ['raw', 'base64']) {
        test(`signs: ${name}, ${encoding}, ${output}`, async () => {
          const key = await written(`${name}.pem`, privatePem(privateKey));
          const file = await written(`${name}.pub`, publicKey.export({ type: 'spki', format: 'pem' }));
          const signCommand = `${node} ${quoted(signer)} ${quoted(key)} ${encoding} ${output}`;
          const opened = await openDeviceKey(
            system,
            { kind: 'command', signCommand, publicKey: { file } },
            forever,
          );
          const signature = Buffer.from(await opened.sign(body, forever), 'base64');
          const digest = name === 'ed25519' ? null : 'sha256';
          assert.ok(verify(digest, body, createPublicKey(opened.publicKeyPem), signature));
        });
      }
    }
  }

  test('may have its public key printed by a command, in DER as well', async () => {
    const der = pairs.ed25519.publicKey.export({ type: 'spki', format: 'der' });
    const path = await written('public.der', der);
    const source: KeySource = {
      kind: 'command',
      signCommand: 'false',
      publicKey: { command: `cat ${quoted(path)}` },
    };
    const { publicKeyPem } = await openDeviceKey(system, source, forever);
    assert.equal(publicKeyPem, pairs.ed25519.publicKey.export({ type: 'spki', format: 'pem' }));
  });

  const faults: readonly (readonly [string, string, RegExp])[] = [
    ['fails', 'echo no card >&2; exit 3', /exit code 3 \(no card\)/],
    ['is not there', '/nowhere/sign', /exit code 127/],
    ['says nothing', 'true', /what it wrote \(0 bytes\) is no signature of the public key's, by ECDSA/],
    ['signs with another key', `${node} ${quoted(signer)} ${quoted(otherKey)} der raw`, /is no signature/],
    ['says too much', 'head -c 10000000 /dev/zero', /is no signature/],
  ];
  for (const [what, signCommand, reason] of faults) {
    test(`is of no use, and the device says why, when the command ${what}`, async () => {
      const key = await openDeviceKey(
        system,
        { kind: 'command', signCommand, publicKey: { file: publicFile } },
        forever,
      );
      await assert.rejects(key.sign(body, forever), (error: Error) => {
        assert.match(error.message, /^Cannot use the device key by Security\.SignCommand: /);
        assert.match(error.message, reason);
        return true;
      });
    });
  }

  test('is of no use without a public key', async () => {
    const signCommand = 'true';
    const open = (publicKey: { file: string } | { command: string }) =>
      openDeviceKey(system, { kind: 'command', signCommand, publicKey }, forever);
    await assert.rejects(
      open({ file: '/nowhere/key.pub' }),
      /there is no \/nowhere\/key\.pub \(Security\.PublicKey\)/,
    );
    await assert.rejects(open({ command: 'echo hello' }), /the public key is none/);
    await assert.rejects(
      open({ command: 'exit 1' }),
      /Security\.PublicKeyCommand: it ended with exit code 1/,
    );
    const weak = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' });
    await assert.rejects(
      open({ file: await written('x.pub', weak) }),
      /keys of type x25519 are not accepted/,
    );
  });

  test('that hangs ends when the client does', async () => {
    const ending = new AbortController();
    const key = await openDeviceKey(
      system,
      { kind: 'command', signCommand: 'sleep 600', publicKey: { file: publicFile } },
      forever,
    );
    const signing = key.sign(body, ending.signal);
    ending.abort(new Error('the client stops'));
    await assert.rejects(signing, /the client stops/);
  });
});

describe('a device key in a file', () => {
  const { privateKey: rsa } = pairs.rsa;
  const { privateKey: ec } = pairs['P-256'];
  const passphrase = 'open sesame';
  // The forms that openssl, Mender of all generations and other clients write.
  const forms: readonly (readonly [string, string | Buffer, string?])[] = [
    ['RSA, PKCS #1, as Mender 3.x makes it', rsa.export({ type: 'pkcs1', format: 'pem' })],
    ['RSA, PKCS #8', rsa.export({ type: 'pkcs8', format: 'pem' })],
    ['ECDSA, SEC 1', ec.export({ type: 'sec1', format: 'pem' })],
    [
      'ECDSA, SEC 1 after its parameters, as openssl ecparam writes it',
      `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${ec.export({ type: 'sec1', format: 'pem' })}`,
    ],
    ['Ed25519, PKCS #8, as Mender 5.x makes it', privatePem(pairs.ed25519.privateKey)],
    [
      'RSA, PKCS #1, encrypted',
      rsa.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase }),
      passphrase,
    ],
    [
      'ECDSA, PKCS #8, encrypted',
      ec.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase }),
      passphrase,
    ],
  ];
  for (const [name, pem, word] of forms) {
    test(`made elsewhere signs: ${name}`, async () => {
      const path = await written('foreign.pem', Buffer.from(pem));
      const source: KeySource = { kind: 'file', path, madeElsewhere: true, passphrase: word };
      const key = await openDeviceKey(system, source, forever);
      const digest = name.startsWith('Ed25519') ? null : 'sha256';
      const signature = Buffer.from(await key.sign(body, forever), 'base64');
      assert.ok(verify(digest, body, createPublicKey(key.publicKeyPem), signature));
    });
  }

  for (const [what, word] of [
    ['without its passphrase', undefined],
    ['with another passphrase', 'wrong'],
  ] as const) {
    test(`is of no use ${what}, and the passphrase is not told`, async () => {
      const path = await written('closed.pem', Buffer.from(forms[6]?.[1] ?? ''));
      const opening = openDeviceKey(
        system,
        { kind: 'file', path, madeElsewhere: true, passphrase: word },
        forever,
      );
      await assert.rejects(opening, (error: Error & { code: string }) => {
        assert.equal(error.code, 'badKey');
        assert.doesNotMatch(error.message, /wrong|sesame/);
        return true;
      });
    });
  }

  test('is that of TLS where a client of 3.x left no other, so that the server goes on knowing the device', async () => {
    const tlsKey = await written('tls.key', privatePem(pairs['P-256'].privateKey));
    const source: KeySource = {
      kind: 'file',
      path: join(directory, 'own.pem'),
      madeElsewhere: false,
      tlsKey,
    };
    const shared = await openDeviceKey(system, source, forever);
    assert.equal(shared.publicKeyPem, pairs['P-256'].publicKey.export({ type: 'spki', format: 'pem' }));
    await written('own.pem', privatePem(pairs.ed25519.privateKey));
    const own = await openDeviceKey(system, source, forever);
    assert.equal(own.publicKeyPem, pairs.ed25519.publicKey.export({ type: 'spki', format: 'pem' }));
  });
});
