import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Reader } from './database/tables.ts';
import { deviceCaller } from './device-caller.ts';
import {
  acceptedDevice,
  authRequest,
  authRequestsPath,
  startWholeServer,
  type WholeServer,
} from './testing/whole-server.ts';
import { tokenVerifier, type VerifyToken } from './tokens/json-web-token.ts';
import { signingKey, type SigningKeys } from './tokens/signing-keys.ts';

const day = 24 * 60 * 60 * 1000;
const next = '/api/devices/v1/deployments/device/deployments/next?artifact_name=a&device_type=t';

let server: WholeServer;
before(async () => {
  server = await startWholeServer();
});
after(() => server[Symbol.asyncDispose]());

/** Whose token it is, for a server with these keys; undefined when it does not count. */
const callerOf = async (token: string, keys: SigningKeys, verify: VerifyToken, now = Date.now()) => {
  const reader: Reader = server.database.read;
  const prove = deviceCaller({ reader, keys, verify, checkIns: { note: () => undefined }, clock: () => now });
  try {
    return (await prove(token)).actor.subject.id;
  } catch {
    return undefined;
  }
};

const unasked: VerifyToken = () => {
  throw new Error('the signature was looked at');
};

describe('the token of a device', () => {
  it('is known again without a look at its signature, until it ends', async () => {
    const { id, token } = await acceptedDevice(server, { mac: 'ca:01' });
    assert.equal(await callerOf(token, server.keys.deviceTokens, unasked), id);
    const verify = tokenVerifier(server.keys.deviceTokens, 10);
    assert.equal(await callerOf(token, server.keys.deviceTokens, verify, Date.now() + 6 * day), id);
    assert.equal(await callerOf(token, server.keys.deviceTokens, verify, Date.now() + 8 * day), undefined);
  });

  it('counts no longer than the key that signed it', async () => {
    const { token } = await acceptedDevice(server, { mac: 'ca:02' });
    // Of the same number: a key that was replaced.
    const other = signingKey(0, generateKeyPairSync('ed25519').privateKey, 'another key');
    const keys = { signing: other, all: [other] };
    assert.equal(await callerOf(token, keys, tokenVerifier(keys, 10)), undefined);
  });

  it('counts by its signature where it was issued before digests were kept', async () => {
    const { id, token } = await acceptedDevice(server, { mac: 'ca:03' });
    await server.database.unitOfWork((tx) =>
      tx
        .updateTable('device_tokens')
        .set({ digest: null, digest_expires: null, signed_by: null })
        .where('device_id', '=', id)
        .execute(),
    );
    assert.equal((await server.request('GET', next, { token })).status, 204);
  });

  it('counts beside the one that the device has been given since, and both end with it', async () => {
    const { id, token: older, setId, device } = await acceptedDevice(server, { mac: 'ca:04' });
    server.time.offsetMs = 1000;
    const { text: newer } = await server.request('POST', authRequestsPath, authRequest(device));
    server.time.offsetMs = 0;
    assert.notEqual(older, newer);
    const verify = tokenVerifier(server.keys.deviceTokens, 10);
    for (const token of [older, newer])
      assert.equal(await callerOf(token, server.keys.deviceTokens, verify), id);
    // The older has an end of its own.
    const between = Date.now() + 7 * day + 500;
    assert.equal(await callerOf(older, server.keys.deviceTokens, verify, between - 10_000), id);
    assert.equal(await callerOf(older, server.keys.deviceTokens, verify, between + 10_000), undefined);
    await server.request('DELETE', `/api/management/v2/devauth/tokens/${setId}`, { token: server.token });
    for (const token of [older, newer])
      assert.equal(await callerOf(token, server.keys.deviceTokens, verify), undefined);
  });

  it('is not known by anything but the whole of it', async () => {
    const { token } = await acceptedDevice(server, { mac: 'ca:05' });
    const [head, claims] = token.split('.');
    for (const changed of [`${head}.${claims}.`, `${head}.${claims}.AAAA`, `${token}A`, token.slice(1)])
      assert.equal((await server.request('GET', next, { token: changed })).status, 401, changed);
  });
});
