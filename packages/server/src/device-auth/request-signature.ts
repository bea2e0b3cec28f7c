import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { ServerError } from '../server-error.ts';

export interface DevicePublicKey {
  /** PKIX PEM with 64 columns and a line end, however the device wrote it. */
  readonly pem: string;
  readonly key: KeyObject;
}

const digests: Readonly<Record<string, 'sha256' | null>> = { rsa: 'sha256', ec: 'sha256', ed25519: null };
const maxKeyLength = 16_384;
const maxRsaBits = 8192;

/** Reads a public key. Throws `badRequest` unless it is PEM `PUBLIC KEY` of RSA, ECDSA or Ed25519. */
export function readPublicKey(pem: string): DevicePublicKey {
  const refused = (cause?: unknown) =>
    new ServerError('badRequest', 'invalid auth request: cannot decode public key', { cause });
  // Only this block: the library would take a private key or a certificate as well.
  if (pem.length > maxKeyLength || !pem.trimStart().startsWith('-----BEGIN PUBLIC KEY-----')) throw refused();
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw refused(cause);
  }
  if (!((key.asymmetricKeyType ?? '') in digests)) throw refused();
  // Verifying with a giant key is expensive, and anybody may ask for it.
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) > maxRsaBits) throw refused();
  return { pem: key.export({ type: 'spki', format: 'pem' }).toString(), key };
}

/** Whether the base64 signature is that of these very bytes (server contract 2.1). */
export function isSignedBy({ key }: DevicePublicKey, bytes: Uint8Array, signature: string): boolean {
  const digest = digests[key.asymmetricKeyType ?? ''];
  if (digest === undefined) return false;
  try {
    return verify(digest, bytes, key, Buffer.from(signature, 'base64'));
  } catch {
    // A signature of impossible length or form.
    return false;
  }
}
