import type { System } from '../system/system.ts';
import { keyOfCommand, type KeyCommands } from './key-command.ts';
import { loadOrMakeDeviceKey, type KeyFile } from './key-file.ts';
import { keyOfOpenSsl, type OpenSslKey } from './openssl-key.ts';

/** The key a device signs its requests for authentication with. */
export interface DeviceKey {
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKeyPem: string;
  /** Signature over the bytes by the method of the key's type (client contract 7.3), in base64. */
  sign(bytes: Uint8Array, signal: AbortSignal): Promise<string>;
}

/** A file this process reads, a key that the openssl program reaches, or one that commands of the owner do. */
export type KeySource =
  | ({ readonly kind: 'file' } & KeyFile)
  | ({ readonly kind: 'openssl' } & OpenSslKey)
  | ({ readonly kind: 'command' } & KeyCommands);

/** The device's key. Throws `ClientError` `badKey` when it is of no use, or the signal's reason. */
export async function openDeviceKey(
  system: Pick<System, 'files' | 'processes'>,
  source: KeySource,
  signal: AbortSignal,
): Promise<DeviceKey> {
  switch (source.kind) {
    case 'file':
      return await loadOrMakeDeviceKey(system.files, source);
    case 'openssl':
      return await keyOfOpenSsl(system, source, signal);
    case 'command':
      return await keyOfCommand(system, source, signal);
    default:
      return source satisfies never;
  }
}
