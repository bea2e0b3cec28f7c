import { createPrivateKey, createPublicKey, generateKeyPair, hash, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ServerError } from '../server-error.ts';
import { writeDurably } from '../write-durably.ts';

export interface SigningKey {
  /** Goes into tokens as `kid`. */
  readonly id: number;
  readonly algorithm: 'RS256' | 'EdDSA';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Names this very key, as its id does not: SHA-256 of the public key (DER), base64url. */
  readonly fingerprint: string;
}

export interface SigningKeys {
  /** The one with the highest id: new tokens are signed by it. */
  readonly signing: SigningKey;
  /** Tokens of the older ones count until they expire. */
  readonly all: readonly SigningKey[];
}

/** Devices and users have keys of their own: a token of one kind can never pass for the other. */
export const keyPurposes = ['device-tokens', 'user-tokens'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

const rsaBits = 2048;

/**
 * Reads `<purpose>.<id>.pem` out of the directory (PKCS #8 or #1, RSA or Ed25519); makes an RSA key when there is none.
 * Files are for their owner alone. Throws `internal` when a file holds another kind of key.
 */
export async function loadSigningKeys(directory: string, purpose: KeyPurpose): Promise<SigningKeys> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await readSigningKeys(directory, purpose);
  for (const { id } of found) await chmod(keyPath(directory, purpose, id), 0o600);
  const keys = found.length > 0 ? found : [await makeKey(directory, purpose, 0)];
  const signing = keys.at(-1);
  if (signing === undefined) throw new ServerError('internal', `no key for ${purpose}`);
  return { signing, all: keys };
}

/** Adds a key with the next id, which signs from the next start on. */
export async function rotateSigningKey(directory: string, purpose: KeyPurpose): Promise<SigningKey> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const last = (await readSigningKeys(directory, purpose)).at(-1);
  return makeKey(directory, purpose, (last?.id ?? -1) + 1);
}

/** Those that are there, by id. Throws `internal` when a file holds another kind of key. */
export async function readSigningKeys(directory: string, purpose: KeyPurpose): Promise<SigningKey[]> {
  const keys: SigningKey[] = [];
  for (const name of await readdir(directory)) {
    const id = new RegExp(`^${purpose}\\.([0-9]{1,6})\\.pem$`).exec(name)?.[1];
    if (id === undefined) continue;
    const path = join(directory, name);
    keys.push(signingKey(Number(id), createPrivateKey(await readFile(path)), path));
  }
  return keys.toSorted((a, b) => a.id - b.id);
}

async function makeKey(directory: string, purpose: KeyPurpose, id: number): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: rsaBits });
  const path = keyPath(directory, purpose, id);
  await writeDurably(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600);
  return signingKey(id, privateKey, path);
}

const keyPath = (directory: string, purpose: KeyPurpose, id: number): string =>
  join(directory, `${purpose}.${id}.pem`);

/** `path` is what an error names. Throws `internal` for a key of another kind. */
export function signingKey(id: number, privateKey: KeyObject, path: string): SigningKey {
  const algorithms: Readonly<Record<string, SigningKey['algorithm']>> = { rsa: 'RS256', ed25519: 'EdDSA' };
  const algorithm = algorithms[privateKey.asymmetricKeyType ?? ''];
  if (algorithm === undefined) {
    throw new ServerError(
      'internal',
      `${path} holds a ${privateKey.asymmetricKeyType} key; give RSA or Ed25519`,
    );
  }
  const publicKey = createPublicKey(privateKey);
  const fingerprint = hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'base64url');
  return { id, algorithm, privateKey, publicKey, fingerprint };
}
