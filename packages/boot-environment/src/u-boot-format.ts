import { crc32 } from './crc32.ts';
import { BootEnvironmentError } from './errors.ts';

/**
 * One copy of U-Boot's redundant environment:
 *
 *   offset 0   CRC-32 of everything from offset 5 on, little-endian
 *          4   flag: a counter raised by each write, modulo 256; the CRC does not cover it
 *          5   name=value NUL name=value NUL … NUL, then padding to the size
 *
 * The CRC is in the byte order of the processor; this code writes little-endian, which is every board Mender supports.
 */
const headerBytes = 5;
/** A plain environment has the CRC alone, and its variables from offset 4 on. */
const plainHeaderBytes = 4;

/** Smallest and largest size of a copy. U-Boot's configurations lie between 2 KiB and 512 KiB. */
export const copySizeLimits = { minimumBytes: 16, maximumBytes: 16 * 1024 * 1024 } as const;

export type DecodedCopy =
  | { readonly valid: true; readonly flag: number; readonly variables: ReadonlyMap<string, string> }
  | { readonly valid: false; readonly reason: string };

export type DecodedPlainCopy =
  | { readonly valid: true; readonly variables: ReadonlyMap<string, string> }
  | { readonly valid: false; readonly reason: string };

/**
 * Bytes of one whole copy, in U-Boot's own order (by name), padded with zeros to `sizeBytes`.
 *
 * Text is Latin-1, one character a byte, so that bytes others have put there come back unchanged.
 * Throws `BootEnvironmentError` `badVariable` or `tooLarge`.
 */
export function encodeEnvironment(
  variables: ReadonlyMap<string, string>,
  flag: number,
  sizeBytes: number,
): Uint8Array {
  const bytes = encodeBehind(headerBytes, variables, sizeBytes);
  bytes.writeUInt8(flag & 0xff, 4);
  return bytes;
}

/** Bytes of one whole copy of a plain environment, which has no flag: what `encodeEnvironment` says holds here too. */
export function encodePlainEnvironment(
  variables: ReadonlyMap<string, string>,
  sizeBytes: number,
): Uint8Array {
  return encodeBehind(plainHeaderBytes, variables, sizeBytes);
}

function encodeBehind(header: number, variables: ReadonlyMap<string, string>, sizeBytes: number): Buffer {
  const names = [...variables.keys()].sort();
  const text = names.map((name) => encodeVariable(name, variables.get(name) ?? '')).join('') + '\0';
  const capacityBytes = sizeBytes - header;
  // A non-empty environment ends with two NULs: its last variable's and the list's; an empty one is a single NUL.
  if (text.length > capacityBytes) {
    throw new BootEnvironmentError(
      'tooLarge',
      `Cannot write the boot environment: the variables need ${text.length} bytes and a copy holds ${capacityBytes}. ` +
        'Remove variables that are no longer needed.',
    );
  }
  const bytes = Buffer.alloc(sizeBytes);
  bytes.write(text, header, 'latin1');
  bytes.writeUInt32LE(crc32(bytes.subarray(header)), 0);
  return bytes;
}

/** Reads one copy. Bytes that are not an environment are an expected outcome: a write may have been cut off. */
export function decodeEnvironment(bytes: Uint8Array): DecodedCopy {
  const decoded = decodeBehind(headerBytes, bytes);
  return decoded.valid ? { ...decoded, flag: bytes[4] ?? 0 } : decoded;
}

/** Reads one copy of a plain environment. */
export function decodePlainEnvironment(bytes: Uint8Array): DecodedPlainCopy {
  return decodeBehind(plainHeaderBytes, bytes);
}

function decodeBehind(header: number, bytes: Uint8Array): DecodedPlainCopy {
  if (bytes.length < copySizeLimits.minimumBytes)
    return { valid: false, reason: `only ${bytes.length} bytes` };
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = buffer.subarray(header);
  if (buffer.readUInt32LE(0) !== crc32(data)) return { valid: false, reason: 'checksum does not match' };
  return { valid: true, variables: decodeVariables(data) };
}

/**
 * Which of two copies counts, by U-Boot's rule: the valid one; of two valid ones that with the higher flag, where 0 follows
 * 255; the first when the flags are equal.
 */
export function newerCopy(first: DecodedCopy, second: DecodedCopy): 0 | 1 | 'neither' {
  if (!first.valid) return second.valid ? 1 : 'neither';
  if (!second.valid) return 0;
  if (first.flag === 255 && second.flag === 0) return 1;
  if (second.flag === 255 && first.flag === 0) return 0;
  return second.flag > first.flag ? 1 : 0;
}

function decodeVariables(data: Buffer): Map<string, string> {
  const variables = new Map<string, string>();
  let start = 0;
  while (start < data.length && data[start] !== 0) {
    const terminator = data.indexOf(0, start);
    const end = terminator === -1 ? data.length : terminator;
    const entry = data.toString('latin1', start, end);
    const equals = entry.indexOf('=');
    // An entry without a value is no variable; U-Boot drops such entries when it imports an environment.
    if (equals > 0) variables.set(entry.slice(0, equals), entry.slice(equals + 1));
    start = end + 1;
  }
  return variables;
}

function encodeVariable(name: string, value: string): string {
  const fault = faultOf(name, value);
  if (fault !== undefined) {
    throw new BootEnvironmentError(
      'badVariable',
      `Cannot write boot variable ${JSON.stringify(name)}: ${fault}.`,
    );
  }
  return `${name}=${value}\0`;
}

function faultOf(name: string, value: string): string | undefined {
  if (name === '') return 'it has no name';
  if (name.includes('=')) return 'a name cannot contain "="';
  if (name.includes('\0') || value.includes('\0')) return 'it contains a NUL character';
  if (!isLatin1(name) || !isLatin1(value)) return 'it contains a character of more than one byte';
  return undefined;
}

function isLatin1(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0xff) return false;
  return true;
}
