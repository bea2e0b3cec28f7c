import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';

/** Who a simulated device is: as real to the server as any, with a key of its own. */
export interface DeviceIdentity {
  /** JSON, as the server is told. */
  readonly idData: string;
  readonly publicKeyPem: string;
  readonly sign: (bytes: Uint8Array) => string;
}

/** PKCS #8 of an Ed25519 key (RFC 8410), up to its 32 bytes. */
const ed25519Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The identity of the device of that number. Its key comes out of the seed, in no time and the same in each run, so that a fleet that
 * was accepted once is known the next time. Who knows the seed has the keys: for simulated devices only.
 */
export function deviceIdentity(seed: string, number: number): DeviceIdentity {
  const secret = createHash('sha256').update(`${seed}/key/${number}`).digest();
  const key: KeyObject = createPrivateKey({
    key: Buffer.concat([ed25519Head, secret]),
    format: 'der',
    type: 'pkcs8',
  });
  const address = createHash('sha256').update(`${seed}/mac/${number}`).digest('hex').slice(0, 10);
  return {
    // 02: an address that is given locally.
    idData: JSON.stringify({ mac: `02${address}`.replaceAll(/..(?=.)/g, '$&:') }),
    publicKeyPem: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign(null, bytes, key).toString('base64'),
  };
}
