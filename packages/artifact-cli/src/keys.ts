import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  ecdsaSignatureFromDer,
  parseVerificationKey,
  signerFromPrivateKey,
  type Signer,
} from '@tandem/artifact';
import type { CommandLine } from './command-line.ts';
import { CommandError } from './exit-status.ts';
import { foreignKeyFlags } from './flags.ts';
import type { World } from './world.ts';

/** The signer asked for by `-k` or `--sign-command`, if any. Throws `CommandError`. */
export async function signerFrom(line: CommandLine, world: World): Promise<Signer | undefined> {
  refuseForeignKeys(line);
  const keyPath = line.text('key');
  const command = line.text('sign-command');
  if (keyPath !== undefined && command !== undefined) {
    throw new CommandError('invalidParameters', 'too many signing keys given: [key sign-command]');
  }
  if (command !== undefined) return signerFromCommand(command, world);
  return keyPath === undefined ? undefined : signerFromPrivateKey(await readKey(keyPath));
}

/** The keys of `-k` to verify with. Throws `CommandError`. */
export async function verificationKeysFrom(line: CommandLine): Promise<readonly KeyObject[]> {
  refuseForeignKeys(line);
  const keys: KeyObject[] = [];
  for (const path of line.list('key')) keys.push(parseVerificationKey(await readKey(path)));
  return keys;
}

function refuseForeignKeys(line: CommandLine): void {
  const name = foreignKeyFlags.find((flag) => line.has(flag));
  if (name === undefined) return;
  throw new CommandError(
    'invalidParameters',
    `--${name} is not supported; sign with --sign-command, which runs any program that signs (its manual shows how)`,
  );
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CommandError('invalidParameters', `cannot read the key ${path}: ${reasonOf(cause)}`, { cause });
  }
}

const largestSignature = 16 * 1024;

/**
 * Signs by a shell command: the manifest's bytes on its stdin, the raw signature (RSA PKCS#1 v1.5, or ECDSA P-256 as DER or r||s; or
 * either in base64) on its stdout. `openssl dgst -sha256 -sign KEY` is such a command.
 */
export function signerFromCommand(command: string, world: World): Signer {
  return async (manifest) => {
    const child = spawn('/bin/sh', ['-c', command], {
      stdio: ['pipe', 'pipe', 'inherit'],
      signal: world.signal,
    });
    const closed = once(child, 'close') as Promise<[number | null]>;
    child.stdin.on('error', () => undefined);
    child.stdin.end(manifest);
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of child.stdout as AsyncIterable<Uint8Array>) {
      length += piece.length;
      if (length > largestSignature) {
        child.kill('SIGKILL');
        throw new CommandError(
          'failed',
          `the sign command wrote more than ${largestSignature} bytes; it must write a signature`,
        );
      }
      pieces.push(piece);
    }
    const [exitCode] = await closed;
    if (exitCode !== 0)
      throw new CommandError('failed', `the sign command failed with exit status ${exitCode ?? 'none'}`);
    return signatureFrom(Buffer.concat(pieces));
  };
}

/** Lengths of raw signatures: ECDSA P-256, RSA 1024 to 4096. */
const rawLengths = [64, 128, 256, 384, 512];

function signatureFrom(output: Buffer): Uint8Array {
  const isRaw = rawLengths.includes(output.length) || isDer(output);
  const text = output.toString('latin1').replaceAll(/\s/g, '');
  const signature = !isRaw && /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : output;
  if (isDer(signature)) return ecdsaSignatureFromDer(signature);
  if (rawLengths.includes(signature.length)) return signature;
  const digest = createHash('sha256').update(signature).digest('hex').slice(0, 8);
  throw new CommandError(
    'failed',
    `the sign command wrote ${signature.length} bytes (SHA-256 ${digest}…), which are no RSA or ECDSA P-256 signature`,
  );
}

function isDer(bytes: Uint8Array): boolean {
  return bytes[0] === 0x30 && bytes[1] === bytes.length - 2 && bytes.length >= 8 && bytes.length <= 72;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
