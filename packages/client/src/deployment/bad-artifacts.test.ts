import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { signerFromPrivateKey } from '@tandem/artifact';
import { checkArtifact } from './check-artifact.ts';
import { bootTestDevice, makeTestDevice, removeTestDevice, type TestDevice } from './test-device.ts';

const newKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
const key = newKey();
const verificationKeys = [createPublicKey(key)];
const signed = { signer: signerFromPrivateKey(key) };
const signedByOther = { signer: signerFromPrivateKey(newKey()) };

interface BadArtifact {
  readonly name: string;
  readonly make?: Parameters<typeof makeTestDevice>[0];
  readonly spoil?: (path: string, device: TestDevice) => Promise<void>;
  readonly expectError: RegExp;
  /** What the module has seen of it: nothing, or a download that was then cleaned up. */
  readonly reaches?: 'header' | 'payload';
}

// prettier-ignore
const rows: readonly BadArtifact[] = [
  { name: 'for another device',           make: { deviceTypes: ['other-board'], write: signed },                     expectError: /device type doesn't match: version-2 is for other-board, and this device is a test-board/, reaches: 'header' },
  { name: 'that is not the one offered',  make: { write: signed }, spoil: (_path, device) => changeOffer(device, { artifactName: 'version-3' }), expectError: /offered artifact version-3, and .* calls itself version-2/, reaches: 'header' },
  { name: 'for other devices than offered', make: { write: signed }, spoil: (_path, device) => changeOffer(device, { deviceTypes: ['test-board', 'x'] }), expectError: /offered artifact version-2 for test-board, x/, reaches: 'header' },
  { name: 'not signed',                   expectError: /expecting signed artifact, but no signature file found/ },
  { name: 'signed with another key',      make: { write: signedByOther },                                            expectError: /Wrong manifest signature or wrong key/ },
  { name: 'whose manifest was changed',   make: { write: signed }, spoil: (path) => flipByte(path, 2 * 1024 + 10),   expectError: /manifest|checksum/i },
  { name: 'cut in the manifest',          make: { write: signed }, spoil: (path) => truncate(path, 2000),            expectError: /end/i },
  { name: 'cut in the payload',           make: { write: { ...signed, compression: 'none' } }, spoil: async (path) => truncate(path, (await stat(path)).size - 2000), expectError: /end|truncated/i, reaches: 'payload' },
  { name: 'with a changed payload',       make: { write: { ...signed, compression: 'none' } }, spoil: (path) => flipText(path, 'version 2 of the app'), expectError: /SHA-256 .* altered/, reaches: 'payload' },
  { name: 'with a damaged compression',   make: { write: signed }, spoil: async (path) => flipByte(path, (await readFile(path)).lastIndexOf('data/0000.tar.gz') + 512 + 40), expectError: /checksum|corrupt|compress|gzip/i, reaches: 'payload' },
  { name: 'of a type without a module',   make: { payloadType: 'unknown-type', write: signed },                      expectError: /Update Module not found for given artifact type: 'unknown-type'/, reaches: 'header' },
  { name: 'with a module that would leave its directory', make: { payloadType: '..evil', write: signed },            expectError: /payload type/i, reaches: 'header' },
];

describe('an artifact', { concurrency: 4 }, () => {
  for (const row of rows) {
    test(`${row.name} is refused with one error, and nothing is installed`, async (t) => {
      const device = await makeTestDevice(row.make).catch((error: unknown) => error as Error);
      if (device instanceof Error) {
        // What our own writer refuses to make, no such device needs to be shown.
        assert.match(device.message, row.expectError);
        return;
      }
      t.after(() => removeTestDevice(device));
      await row.spoil?.(join(device.directory, 'server', 'artifact.mender'), device);
      await bootTestDevice(device.directory, { verificationKeys });

      const installs = (await device.chain()).filter((name) => name.startsWith('Artifact'));
      assert.deepEqual(installs, []);
      assert.equal((await device.chain()).includes('Download'), row.reaches === 'payload');
      const data = await readdir(join(device.directory, 'data'));
      if (row.reaches === undefined) assert.ok(!data.includes('scripts'), 'no script is unpacked');
      await assert.rejects(stat(join(device.directory, 'data/modules/v3/payloads/0000/tree')), {
        code: 'ENOENT',
      });
      assert.deepEqual(await device.statuses(), ['downloading', 'failure']);
      const records = await device.records();
      assert.equal(records['artifact-name'], 'version-1');
      assert.equal(records.state, undefined);
      const errors =
        (await device.uploadedLog())?.split('\n').filter((line) => line.startsWith('error ')) ?? [];
      assert.equal(errors.length, 1, errors.join('\n'));
      assert.match(errors[0] ?? '', row.expectError);
    });
  }

  test('that is genuine is installed with the key configured', async (t) => {
    const device = await makeTestDevice({ write: signed });
    t.after(() => removeTestDevice(device));
    await bootTestDevice(device.directory, { verificationKeys });
    assert.deepEqual(await device.statuses(), ['downloading', 'installing', 'installing', 'success']);
  });

  test('with two payloads is refused by the one rule', () => {
    const payload = { type: 'a', raw: { typeInfo: new Uint8Array() }, files: [] };
    assert.throws(
      () =>
        checkArtifact(
          {
            headerInfo: {
              artifactName: 'x',
              payloadTypes: ['a', 'a'],
              depends: { deviceTypes: ['test-board'] },
            },
            payloads: [payload, payload],
          },
          { deviceType: 'test-board', provides: {} },
          undefined,
        ),
      /Multiple payloads are not yet supported/,
    );
  });
});

async function changeOffer(device: TestDevice, change: object): Promise<void> {
  const path = join(device.directory, 'server', 'offer.json');
  await writeFile(
    path,
    JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), ...change }),
  );
}

async function flipByte(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
  buffer[0] = (buffer[0] ?? 0) ^ 0x01;
  await file.write(buffer, 0, 1, at);
  await file.close();
}

const flipText = async (path: string, text: string): Promise<void> =>
  flipByte(path, (await readFile(path)).indexOf(text));
