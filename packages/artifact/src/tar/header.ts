import { ArtifactError } from '../errors.ts';

export const blockBytes = 512;

/** Where each field of a tar header stands (POSIX.1-1988 ustar): offset and length in bytes. */
const fields = {
  name: [0, 100],
  mode: [100, 8],
  owner: [108, 8],
  group: [116, 8],
  size: [124, 12],
  modifiedAt: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [offset: number, length: number]>;
type Field = keyof typeof fields;

/** What a typeflag means to us. Whatever is not in this table (links, devices, sparse files) has no place in an artifact. */
const kinds = {
  '0': 'file',
  '\0': 'file', //           v7
  '7': 'file', //            contiguous file
  '5': 'directory',
  x: 'pax',
  L: 'longName', //          GNU
  K: 'longLink', //          GNU
  g: 'globalPax',
} as const;
export type TarKind = (typeof kinds)[keyof typeof kinds] | 'other';

/** One header block, before any extended header has been applied to it. */
export interface TarHeader {
  readonly name: string;
  readonly kind: TarKind;
  readonly sizeBytes: number;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
}

/**
 * Reads a header block: v7, ustar or GNU. Answers 'end' for a block of zeros.
 * Throws `ArtifactError` (malformedTar) for a wrong checksum, or a number that is none, negative or beyond 2^53.
 */
export function decodeTarHeader(block: Uint8Array): TarHeader | 'end' {
  if (block.every((byte) => byte === 0)) return 'end';
  if (!checksumHolds(block)) throw malformed('the checksum of the tar header is wrong; the file is damaged');
  const isPosix = text(block, 'magic').startsWith('ustar') && block[262] === 0;
  const prefix = isPosix ? text(block, 'prefix') : '';
  const ownName = text(block, 'name');
  const name = prefix === '' ? ownName : `${prefix}/${ownName}`;
  const flag = String.fromCharCode(block[fields.type[0]] ?? 0);
  const kind: TarKind = Object.hasOwn(kinds, flag) ? kinds[flag as keyof typeof kinds] : 'other';
  const sizeBytes = number(block, 'size');
  // Archivers before POSIX marked directories by a slash at the end of the name.
  const isDirectory = kind === 'directory' || (kind === 'file' && name.endsWith('/'));
  if (isDirectory && sizeBytes !== 0) throw malformed(`the directory "${name}" claims to have content`);
  return {
    name,
    kind: isDirectory ? 'directory' : kind,
    sizeBytes,
    mode: number(block, 'mode') & 0o7777,
    modifiedAt: number(block, 'modifiedAt'),
  };
}

export interface TarFields {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
}

const largestOctalSize = 0o77777777777;

/**
 * The header block or blocks of a regular file owned by root. A plain ustar block where that can say it; otherwise a pax
 * header goes before it (names over 100 bytes or not ASCII, sizes from 8 GiB). With `reserveForSize` the pax size record is always written,
 * at a fixed length, so that a size not known yet can be filled in later.
 */
export function encodeTarHeader(entry: TarFields, reserveForSize = false): Uint8Array {
  const split = splitName(entry.name);
  const needsSize = reserveForSize || entry.sizeBytes > largestOctalSize;
  const records = [
    ...(split === undefined ? [paxRecord('path', entry.name)] : []),
    ...(needsSize ? [paxRecord('size', String(entry.sizeBytes).padStart(reserveForSize ? 16 : 1, '0'))] : []),
  ];
  const { name, prefix } = split ?? { name: entry.name, prefix: '' };
  const sizeField = needsSize ? 0 : entry.sizeBytes;
  const main = block({ ...entry, name, sizeBytes: sizeField }, '0', prefix);
  if (records.length === 0) return main;
  const body = Buffer.concat(records);
  const paxFields = { ...entry, name: `PaxHeaders.0/${entry.name}`, sizeBytes: body.length, mode: 0o644 };
  return Buffer.concat([block(paxFields, 'x', ''), body, new Uint8Array(paddingOf(body.length)), main]);
}

/** Zero bytes that follow content of this size. */
export function paddingOf(sizeBytes: number): number {
  return (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
}

/** Two blocks of zeros. */
export const endOfArchive: Uint8Array = new Uint8Array(2 * blockBytes);

/** Records of a pax header by key. Throws `ArtifactError` (malformedTar). */
export function decodePaxRecords(body: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const lengthText = space < 0 ? '' : latin1(body.subarray(at, space));
    const end = at + Number(lengthText);
    if (
      !/^[1-9]\d{0,6}$/.test(lengthText) ||
      end > body.length ||
      end <= space + 1 ||
      body[end - 1] !== 0x0a
    ) {
      throw malformed('a pax record has a wrong length');
    }
    const record = utf8(body.subarray(space + 1, end - 1));
    const equals = record.indexOf('=');
    if (equals < 1 || record.includes('\0')) throw malformed('a pax record is not of the form key=value');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

function block(entry: TarFields, flag: string, prefix: string): Buffer {
  const header = Buffer.alloc(blockBytes);
  const put = (field: Field, value: string) =>
    header.write(value, fields[field][0], fields[field][1], 'utf8');
  put('name', entry.name);
  put('mode', octal(entry.mode, 7));
  put('owner', octal(0, 7));
  put('group', octal(0, 7));
  put('size', octal(entry.sizeBytes, 11));
  put('modifiedAt', octal(entry.modifiedAt, 11));
  put('checksum', '        ');
  put('type', flag);
  put('magic', 'ustar\x0000');
  put('prefix', prefix);
  put('checksum', `${octal(sum(header), 6)} `);
  return header;
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`;
}

/** A record says its own length in decimal digits, these digits included. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** Name and prefix of a ustar header, or undefined when the name does not fit or is not ASCII. */
function splitName(name: string): { name: string; prefix: string } | undefined {
  if (!/^[\x20-\x7e]*$/.test(name)) return undefined;
  if (name.length <= fields.name[1]) return { name, prefix: '' };
  const slash = name.indexOf('/', name.length - fields.name[1] - 1);
  if (slash <= 0 || slash > fields.prefix[1] || slash === name.length - 1) return undefined;
  return { name: name.slice(slash + 1), prefix: name.slice(0, slash) };
}

function checksumHolds(block: Uint8Array): boolean {
  const stated = number(block, 'checksum');
  const [at, length] = fields.checksum;
  const blanked = Uint8Array.from(block);
  blanked.fill(0x20, at, at + length);
  // Some old archivers added the bytes as signed; every reader takes both.
  return (
    stated === sum(blanked) || stated === blanked.reduce((total, byte) => total + ((byte << 24) >> 24), 0)
  );
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte, 0);
}

/** Octal digits, or with the first bit set a binary number (GNU), big-endian. */
function number(block: Uint8Array, field: Field): number {
  const [offset, length] = fields[field];
  const bytes = block.subarray(offset, offset + length);
  const first = bytes[0] ?? 0;
  const value = (first & 0x80) === 0 ? octalNumber(bytes) : binaryNumber(bytes);
  if (value === undefined || !Number.isSafeInteger(value)) {
    throw malformed(`the tar header's ${field} is not a number that can be`);
  }
  return value;
}

function octalNumber(bytes: Uint8Array): number | undefined {
  const digits = latin1(bytes).replace(/^[ \0]+|[ \0]+$/g, '');
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function binaryNumber(bytes: Uint8Array): number | undefined {
  // 0x80 marks a positive number, 0xff a negative one; a header of an artifact has no use for those.
  if (bytes[0] !== 0x80) return undefined;
  return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
}

function text(block: Uint8Array, field: Field): string {
  const [offset, length] = fields[field];
  const bytes = block.subarray(offset, offset + length);
  const end = bytes.indexOf(0);
  return utf8(end < 0 ? bytes : bytes.subarray(0, end));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ArtifactError('malformedTar', 'a name in the tar header is not UTF-8', { cause });
  }
}

function malformed(message: string): ArtifactError {
  return new ArtifactError('malformedTar', message);
}
