import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { makeBusDevice } from './bus-device.ts';
import { makeSoftToken, type SoftToken } from './soft-token.ts';
import { startStandInServer, type StandInServer } from './stand-in-server.ts';

const ourProgram = join(import.meta.dirname, '../../packages/client/bin/mender-auth.js');
const noBus = { address: 'unix:path=/nowhere', stop: () => Promise.resolve() };

describe('a device whose key lies in hardware', () => {
  let directory: string;
  let token: SoftToken;
  let server: StandInServer;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-token-'));
    token = await makeSoftToken(directory);
    token.makeKey('rsa', '01', 'rsa:2048');
    token.makeKey('ec', '02', 'EC:prime256v1');
    await writeFile(join(directory, 'pin'), token.pin, { mode: 0o600 });
  });
  after(() => rm(directory, { recursive: true }));
  beforeEach(async () => {
    server = await startStandInServer();
  });
  afterEach(() => server.close());

  /** One try to authenticate, as `mender-auth bootstrap` makes it; what it printed, and what the server saw. */
  const authenticate = async (security: Readonly<Record<string, string>>) => {
    const home = await mkdtemp(join(directory, 'device-'));
    const device = await makeBusDevice(home, noBus, server, { Security: security });
    const variables = Object.entries(token.environment).map(([name, value]) => `${name}=${value}`);
    const { status, output } = await device.run('root', 'env', [
      ...variables,
      process.execPath,
      ourProgram,
      'bootstrap',
    ]);
    assert.ok(!output.includes(token.pin), 'the PIN is not told');
    // No key was made, and nothing of the PIN is left.
    assert.deepEqual(await readdir(join(home, 'store')), ['device_type']);
    return { status, output, asked: server.asked.at(-1) };
  };

  // What pkcs11-tool is given: SoftHSM hashes for RSA by itself, as most hardware does, and for ECDSA it does not.
  const keys = [
    ['rsa', (tool: string) => `${tool} --sign --mechanism SHA256-RSA-PKCS --id 01`],
    ['ec', (tool: string) => `openssl dgst -sha256 -binary | ${tool} --sign --mechanism ECDSA --id 02`],
  ] as const;
  for (const [label] of keys) {
    const uri = `pkcs11:token=device;object=${label};type=private`;
    for (const [where, pin] of [
      ['in a file', () => `pin-source=file:${join(directory, 'pin')}`],
      ['in the address', () => `pin-value=${token.pin}`],
    ] as const) {
      test(`authenticates with Mender's own keys of mender.conf: ${label}, the PIN ${where}`, async () => {
        const { status, output, asked } = await authenticate({
          AuthPrivateKey: `${uri}?${pin()}`,
          SSLEngine: 'pkcs11',
        });
        assert.equal(status, 0, output);
        assertSignedBy(token.publicKey(label), asked, output);
      });
    }
  }

  for (const [label, signWith] of keys) {
    test(`authenticates by a command: pkcs11-tool, ${label}`, async () => {
      const publicKey = join(directory, `${label}.der`);
      await writeFile(publicKey, token.publicKey(label));
      const pinFile = join(directory, 'pin');
      const tool = `pkcs11-tool --module ${token.module} --token-label ${token.label} --login --pin "$(cat ${pinFile})"`;
      const { status, output, asked } = await authenticate({
        SignCommand: signWith(tool),
        PublicKey: publicKey,
      });
      assert.equal(status, 0, output);
      assertSignedBy(token.publicKey(label), asked, output);
    });
  }

  test('says what is wrong when the key is not there', async () => {
    const { status, output } = await authenticate({
      AuthPrivateKey: `pkcs11:token=device;object=lost;type=private?pin-value=${token.pin}`,
      SSLEngine: 'pkcs11',
    });
    assert.equal(status, 1);
    assert.match(
      output,
      /Could not fulfill request: Cannot use the device key by openssl \(pkcs11:token=device;object=lost;type=private\?pin-value=…\)/,
    );
  });
});

function assertSignedBy(
  der: Buffer,
  asked: { readonly body: string; readonly signature: string } | undefined,
  output: string,
): void {
  assert.ok(asked !== undefined, output);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  const { pubkey } = JSON.parse(asked.body) as { pubkey: string };
  assert.equal(pubkey, key.export({ type: 'spki', format: 'pem' }));
  assert.ok(verify('sha256', Buffer.from(asked.body), key, Buffer.from(asked.signature, 'base64')));
}
