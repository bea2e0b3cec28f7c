import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { ClientError } from '../client-error.ts';
import type { Processes, RunOptions } from '../system/system.ts';
import type { DeviceKey } from './device-key.ts';
import { deviceKeyType, publicPem, signatureDigests, type DeviceKeyType } from './key-types.ts';

/** Hardware is slow, and may have to be woken. */
const programMs = 60_000;
const largestOutputBytes = 64 * 1024;

/** What a program wrote, as it is, or how it failed. */
export type ProgramOutput = { readonly bytes: Buffer } | { readonly fault: string };

/** Runs a program that is to write a key or a signature. */
export async function outputOf(
  processes: Pick<Processes, 'run'>,
  program: string,
  args: readonly string[],
  options: Pick<RunOptions, 'input' | 'environment'>,
  signal: AbortSignal,
): Promise<ProgramOutput> {
  try {
    const result = await processes.run(program, args, {
      ...options,
      timeoutMs: programMs,
      maxOutputBytes: largestOutputBytes,
      outputEncoding: 'latin1',
      signal,
    });
    if (result.timedOut) return { fault: `it took more than ${programMs / 1000} s` };
    if (result.exitCode === 0) return { bytes: Buffer.from(result.stdout, 'latin1') };
    const said = result.stderr.trim().slice(-500);
    const ending = `it ended with ${result.signal ?? `exit code ${result.exitCode}`}`;
    return { fault: said === '' ? ending : `${ending} (${said})` };
  } catch (error) {
    if (signal.aborted) throw error;
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

/** What a program that reaches a key must do, and what it is called in faults. */
export interface SigningProgram {
  readonly name: string;
  readonly sign: (bytes: Uint8Array, type: DeviceKeyType, signal: AbortSignal) => Promise<ProgramOutput>;
}

/**
 * A key that only a program can use. Each signature is checked with the public key before it is believed: a program that signs by
 * another method or with another key would be seen as a device nobody knows.
 */
export function programKey(program: SigningProgram, publicKey: Buffer): DeviceKey {
  const key = parsePublicKey(program, publicKey);
  const type = deviceKeyType(key);
  if (type === undefined) {
    throw badKey(program.name, `keys of type ${key.asymmetricKeyType ?? 'unknown'} are not accepted`);
  }
  return {
    publicKeyPem: publicPem(key),
    sign: async (bytes, signal) => {
      const output = await program.sign(bytes, type, signal);
      if ('fault' in output) throw badKey(program.name, output.fault);
      const signature = readSignature(output.bytes, type, key, bytes);
      if (signature !== undefined) return signature.toString('base64');
      throw badKey(
        program.name,
        `what it wrote (${output.bytes.length} bytes) is no signature of the public key's, by ${methods[type]}`,
      );
    },
  };
}

const methods: Readonly<Record<DeviceKeyType, string>> = {
  rsa: 'RSA PKCS #1 v1.5 with SHA-256',
  ec: 'ECDSA with SHA-256, in DER or r||s',
  ed25519: 'Ed25519',
};

/** The signature in the form servers take, out of raw bytes or base64; undefined when it is none. */
function readSignature(
  output: Buffer,
  type: DeviceKeyType,
  key: KeyObject,
  signed: Uint8Array,
): Buffer | undefined {
  const digest = signatureDigests[type];
  const text = output.toString('latin1').replaceAll(/\s/g, '');
  const decoded = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? [Buffer.from(text, 'base64')] : [];
  for (const candidate of [output, ...decoded]) {
    if (verify(digest, signed, key, candidate)) return candidate;
    if (type === 'ec' && verify(digest, signed, { key, dsaEncoding: 'ieee-p1363' }, candidate)) {
      return derOf(candidate);
    }
  }
  return undefined;
}

/** r||s, as PKCS #11 gives it, as the SEQUENCE of two INTEGERs that servers take. */
function derOf(raw: Buffer): Buffer {
  const half = raw.length / 2;
  const integers = Buffer.concat([derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half))]);
  return Buffer.concat([Buffer.from([0x30, ...derLength(integers.length)]), integers]);
}

function derInteger(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = bytes.subarray(first < 0 ? bytes.length - 1 : first);
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.from([0x02, ...derLength(digits.length + sign.length), ...sign, ...digits]);
}

/** Lengths of one byte, and of P-521's two. */
const derLength = (length: number): number[] => (length < 0x80 ? [length] : [0x81, length]);

function parsePublicKey({ name }: SigningProgram, bytes: Buffer): KeyObject {
  try {
    if (bytes.includes('-----BEGIN')) return createPublicKey({ key: bytes, format: 'pem' });
    return createPublicKey({ key: bytes, format: 'der', type: 'spki' });
  } catch (error) {
    throw badKey(name, `the public key is none (${error instanceof Error ? error.message : String(error)})`);
  }
}

export function badKey(name: string, reason: string): ClientError {
  return new ClientError(
    'badKey',
    `Cannot use the device key by ${name}: ${reason}. Correct Security in mender.conf.`,
  );
}
