import { ClientError } from '../client-error.ts';
import type { Files } from '../system/system.ts';

/**
 * The device type: the one line `device_type=…` of its file (client contract 1.2).
 * Throws `ClientError` `noDeviceType` when there is no such file or anything else in it.
 */
export async function readDeviceType(files: Pick<Files, 'read'>, path: string): Promise<string> {
  const bytes = await files.read(path, 4096);
  if (bytes === undefined) throw fault(path, 'the file does not exist');
  const match = /^device_type=([^\n]+)\n?$/.exec(Buffer.from(bytes).toString());
  if (match?.[1] === undefined)
    throw fault(path, 'it must hold one line, "device_type=" and a name, and nothing else');
  return match[1];
}

function fault(path: string, reason: string): ClientError {
  return new ClientError('noDeviceType', `Cannot determine the device type from ${path}: ${reason}.`);
}
