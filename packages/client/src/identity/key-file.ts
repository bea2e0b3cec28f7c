import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { chmod, stat } from 'node:fs/promises';
import { ClientError } from '../client-error.ts';
import type { Files } from '../system/system.ts';
import type { DeviceKey } from './device-key.ts';
import { deviceKeyType, publicPem, signatureDigests } from './key-types.ts';

export interface KeyFile {
  readonly path: string;
  /** A key made elsewhere is never made or replaced here. */
  readonly madeElsewhere: boolean;
  readonly passphrase?: string | undefined;
  /**
   * HttpsClient.Key, which clients of 3.x signed with, too: where it is and no key of its own was ever made, the server knows the
   * device by it.
   */
  readonly tlsKey?: string | undefined;
}

/**
 * The device's key; made, Ed25519 in PKCS#8, when there is none. A file others could read is closed to them.
 * Throws `ClientError` `badKey` when the file is not a key of use.
 */
export async function loadOrMakeDeviceKey(files: Files, place: KeyFile): Promise<DeviceKey> {
  const pem = await files.read(place.path, 64 * 1024);
  if (pem === undefined) {
    if (place.tlsKey !== undefined) {
      return await loadOrMakeDeviceKey(files, { path: place.tlsKey, madeElsewhere: true });
    }
    if (place.madeElsewhere) throw fault(place.path, 'there is no such file');
    return await makeDeviceKey(files, place);
  }
  await closeToOthers(place.path);
  return deviceKey(parse(pem, place), place.path);
}

/** Makes a new key in place of any that was there: the server will see a new key of the same device. */
export async function makeDeviceKey(files: Files, place: KeyFile): Promise<DeviceKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const protection =
    place.passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase: place.passphrase };
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', ...protection });
  await files.writeDurably(place.path, pem, 0o600);
  return deviceKey(privateKey, place.path);
}

function parse(pem: Uint8Array, { path, passphrase }: KeyFile): KeyObject {
  try {
    return createPrivateKey({
      key: Buffer.from(pem),
      format: 'pem',
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch (error) {
    // The cause is left out on purpose where it could tell of the passphrase; OpenSSL's text names the fault well enough.
    throw fault(path, error instanceof Error ? error.message : String(error));
  }
}

function deviceKey(key: KeyObject, path: string): DeviceKey {
  const type = deviceKeyType(key);
  if (type === undefined) {
    const given = key.asymmetricKeyType ?? 'unknown';
    throw fault(path, `keys of type ${given} are not accepted, only RSA, ECDSA and Ed25519`);
  }
  return {
    publicKeyPem: publicPem(createPublicKey(key)),
    sign: (bytes) => Promise.resolve(sign(signatureDigests[type], bytes, key).toString('base64')),
  };
}

async function closeToOthers(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) await chmod(path, 0o600);
}

function fault(path: string, reason: string): ClientError {
  return new ClientError(
    'badKey',
    `Cannot use the device key ${path}: ${reason}. ` +
      'Restore the key, or make a new one by "mender-auth bootstrap --forcebootstrap" and accept the device again.',
  );
}
