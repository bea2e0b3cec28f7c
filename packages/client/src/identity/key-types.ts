import type { KeyObject } from 'node:crypto';

/**
 * The types of device keys, with the digest that is signed (client contract 7.3): RSA by PKCS #1 v1.5 and ECDSA in DER, which are
 * Node's defaults; Ed25519 signs the bytes themselves.
 */
export const signatureDigests = { rsa: 'sha256', ec: 'sha256', ed25519: null } as const;

export type DeviceKeyType = keyof typeof signatureDigests;

/** The key's type, or undefined when no server takes it. */
export function deviceKeyType(key: KeyObject): DeviceKeyType | undefined {
  const type = key.asymmetricKeyType ?? '';
  return Object.hasOwn(signatureDigests, type) ? (type as DeviceKeyType) : undefined;
}

export function publicPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}
