import type { System } from '../system/system.ts';
import type { DeviceKey } from './device-key.ts';
import { badKey, outputOf, programKey } from './program-key.ts';

/** Commands of the owner, run by a shell, for keys that only they can reach. */
export interface KeyCommands {
  /** The bytes to sign on its stdin, the signature on its stdout, as it is or in base64. */
  readonly signCommand: string;
  /** PEM or DER, SubjectPublicKeyInfo: out of a file, or of what a command prints. */
  readonly publicKey: { readonly file: string } | { readonly command: string };
}

/** The key behind Security.SignCommand. Throws `ClientError` `badKey`. */
export async function keyOfCommand(
  { files, processes }: Pick<System, 'files' | 'processes'>,
  { signCommand, publicKey }: KeyCommands,
  signal: AbortSignal,
): Promise<DeviceKey> {
  const shell = (command: string, input: Uint8Array | undefined, running: AbortSignal) =>
    outputOf(processes, '/bin/sh', ['-c', command], input === undefined ? {} : { input }, running);

  const read = async (): Promise<Buffer> => {
    if ('file' in publicKey) {
      const bytes = await files.read(publicKey.file, 64 * 1024);
      if (bytes !== undefined) return Buffer.from(bytes);
      throw badKey('Security.SignCommand', `there is no ${publicKey.file} (Security.PublicKey)`);
    }
    const output = await shell(publicKey.command, undefined, signal);
    if ('bytes' in output) return output.bytes;
    throw badKey('Security.PublicKeyCommand', output.fault);
  };
  return programKey(
    {
      name: 'Security.SignCommand',
      sign: (bytes, _type, signing) => shell(signCommand, bytes, signing),
    },
    await read(),
  );
}
