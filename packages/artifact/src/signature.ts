import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { ArtifactError } from './errors.ts';

const member = 'manifest.sig';

/** Signs the exact bytes of a manifest; answers the raw signature (format clause 4), which the writer encodes. */
export type Signer = (manifest: Uint8Array) => Promise<Uint8Array>;

/**
 * A key that signatures are checked with: `-----BEGIN PUBLIC KEY-----`, RSA or ECDSA P-256, as `openssl pkey -pubout` writes it.
 * Throws `ArtifactError` (unusableKey).
 */
export function parseVerificationKey(pem: string): KeyObject {
  if (!pem.includes('-----BEGIN PUBLIC KEY-----')) {
    throw unusable(
      'a verification key is a PEM file with "BEGIN PUBLIC KEY"; make one with: openssl pkey -in KEY -pubout',
    );
  }
  return assertSupported(() => createPublicKey(pem.slice(pem.indexOf('-----BEGIN PUBLIC KEY-----'))));
}

/**
 * A signer from a private key in PEM: PKCS#1, SEC1 or PKCS#8, RSA or ECDSA P-256, not encrypted. Throws `ArtifactError`
 * (unusableKey). The key stays in memory; keys kept elsewhere are any other function of type `Signer`.
 */
export function signerFromPrivateKey(pem: string): Signer {
  const key = assertSupported(() => createPrivateKey(pem));
  return (manifest) =>
    Promise.resolve(
      key.asymmetricKeyType === 'rsa'
        ? sign('sha256', manifest, key)
        : sign('sha256', manifest, { key, dsaEncoding: 'ieee-p1363' }),
    );
}

/** The content of `manifest.sig`: standard base64, one line, no newline. */
export function encodeSignature(signature: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(signature).toString('base64'));
}

/** Line breaks anywhere are ignored, nothing else. Throws `ArtifactError` (signatureMalformed). */
export function decodeSignature(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content)
    .toString('latin1')
    .replaceAll(/[\r\n]/g, '');
  if (text.length === 0 || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    throw new ArtifactError('signatureMalformed', 'it is not base64', { member });
  }
  return Buffer.from(text, 'base64');
}

/** Whether one of the keys made this signature over exactly these bytes: RSA PKCS#1 v1.5 or ECDSA P-256, with SHA-256. */
export function isSignedByAny(
  manifest: Uint8Array,
  signature: Uint8Array,
  keys: readonly KeyObject[],
): boolean {
  return keys.some((key) => isSignedBy(manifest, signature, key));
}

const rawEcdsaLength = 64;

function isSignedBy(manifest: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'rsa') return verify('sha256', manifest, key, signature);
  // r and s, each 32 bytes; signatures out of hardware (PKCS#11, HSM) are ASN.1 DER instead.
  const dsaEncoding = signature.length === rawEcdsaLength ? 'ieee-p1363' : 'der';
  return verify('sha256', manifest, { key, dsaEncoding }, signature);
}

function assertSupported(parse: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch (cause) {
    throw unusable('the key cannot be read; it must be an unencrypted PEM file', cause);
  }
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (key.asymmetricKeyType === 'rsa' || isP256) return key;
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? 'unknown';
  throw unusable(`keys of kind ${kind} are not supported; use RSA or ECDSA P-256 (prime256v1)`);
}

function unusable(message: string, cause?: unknown): ArtifactError {
  return new ArtifactError('unusableKey', message, { member: 'key', cause });
}

/**
 * The 64 bytes r||s the format wants, from the ASN.1 DER that openssl and hardware give. Throws `ArtifactError` (signatureMalformed).
 */
export function ecdsaSignatureFromDer(der: Uint8Array): Uint8Array {
  const [r, afterR] = derInteger(der, 2);
  const [s, end] = derInteger(der, afterR);
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || end !== der.length) throw notDer();
  const raw = new Uint8Array(rawEcdsaLength);
  raw.set(r, rawEcdsaLength / 2 - r.length);
  raw.set(s, rawEcdsaLength - s.length);
  return raw;
}

/** An integer of at most 32 bytes without its leading zeros, and where the next value begins. */
function derInteger(der: Uint8Array, at: number): [value: Uint8Array, next: number] {
  const length = der[at + 1] ?? 0;
  const value = der.subarray(at + 2, at + 2 + length);
  const first = value.findIndex((byte) => byte !== 0);
  const significant = first < 0 ? value.subarray(value.length) : value.subarray(first);
  if (der[at] !== 2 || value.length !== length || significant.length > rawEcdsaLength / 2) throw notDer();
  return [significant, at + 2 + length];
}

function notDer(): ArtifactError {
  return new ArtifactError('signatureMalformed', 'it is not an ECDSA P-256 signature in DER', { member });
}
