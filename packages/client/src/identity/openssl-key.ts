import { join } from 'node:path';
import type { System } from '../system/system.ts';
import type { DeviceKey } from './device-key.ts';
import { badKey, outputOf, programKey, type ProgramOutput } from './program-key.ts';

/** A key that OpenSSL reaches: through an engine, or through the providers its own configuration loads. */
export interface OpenSslKey {
  /** Security.AuthPrivateKey: a `pkcs11:` URI, or what else the engine takes. */
  readonly key: string;
  /** Security.SSLEngine; '' for providers. */
  readonly engine: string;
  /** Where a file can be for the moment of a call. */
  readonly workDirectory: string;
}

/**
 * Signs by the `openssl` program of the device, which is set up for the hardware where a client linked with OpenSSL worked. A PIN in
 * the URI (`pin-value`) goes to it in a file that only we can read, never among its arguments, where everyone could.
 */
export async function keyOfOpenSsl(
  system: Pick<System, 'files' | 'processes'>,
  { key, engine, workDirectory }: OpenSslKey,
  signal: AbortSignal,
): Promise<DeviceKey> {
  const name = `openssl (${withoutPin(key)})`;
  const openssl = async (
    argumentsOf: (key: string) => readonly string[],
    input: Uint8Array | undefined,
    running: AbortSignal,
  ): Promise<ProgramOutput> => {
    const run = (uri: string) =>
      outputOf(system.processes, 'openssl', argumentsOf(uri), input === undefined ? {} : { input }, running);
    const pin = /([?&])pin-value=([^&]*)/.exec(key);
    if (pin === null) return await run(key);
    const pinFile = join(workDirectory, `pin-${process.pid}`);
    await system.files.writeDurably(pinFile, decodeURIComponent(pin[2] ?? ''), 0o600);
    try {
      return await run(key.replace(pin[0], `${pin[1] ?? ''}pin-source=file:${pinFile}`));
    } finally {
      await system.files.removeDurably(pinFile);
    }
  };
  const withEngine = (option: '-inform' | '-keyform') =>
    engine === '' ? [] : ['-engine', engine, option, 'engine'];

  const publicKey = await openssl(
    (uri) => ['pkey', ...withEngine('-inform'), '-in', uri, '-pubout'],
    undefined,
    signal,
  );
  if ('fault' in publicKey) throw badKey(name, publicKey.fault);
  return programKey(
    {
      name,
      sign: async (bytes, type, signing) =>
        type === 'ed25519'
          ? { fault: 'its program cannot sign by Ed25519 out of hardware; use Security.SignCommand' }
          : await openssl(
              (uri) => ['dgst', '-sha256', ...withEngine('-keyform'), '-sign', uri],
              bytes,
              signing,
            ),
    },
    publicKey.bytes,
  );
}

const withoutPin = (uri: string): string => uri.replace(/pin-value=[^&]*/, 'pin-value=…');
