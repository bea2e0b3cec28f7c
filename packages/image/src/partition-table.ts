import { open, type FileHandle } from 'node:fs/promises';
import { ImageError } from './image-error.ts';

export interface FoundPartition {
  readonly number: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** GPT: the type's UUID in small letters. MBR: two hexadecimal digits. */
  readonly type: string;
  /** GPT only. */
  readonly name: string;
}

export interface PartitionTable {
  readonly kind: 'gpt' | 'mbr';
  readonly partitions: readonly FoundPartition[];
}

const sectorBytes = 512;
const mbr = {
  entriesAt: 446,
  entryBytes: 16,
  entries: 4,
  markAt: 510,
  mark: 0xaa55,
  protective: 0xee,
} as const;
/** Kinds of MBR partitions that only hold others. */
const extendedTypes: readonly number[] = [0x05, 0x0f, 0x85];
const mostLogical = 64;
const mostGptEntries = 128;

/**
 * The partitions of a disk image with sectors of 512 bytes, in the order of their numbers. Throws `ImageError` (unknownPartitionTable) where there
 * is no table, it is damaged, or a partition ends behind the image.
 */
export async function readPartitionTable(path: string): Promise<PartitionTable> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const table = await tableOf(file, path);
    const beyond = table.partitions.find(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes > size);
    if (beyond !== undefined)
      throw unknown(
        path,
        `partition ${beyond.number} ends behind the end of the file; is the download complete?`,
      );
    return table;
  } finally {
    await file.close();
  }
}

async function tableOf(file: FileHandle, path: string): Promise<PartitionTable> {
  const head = await readAt(file, 0, sectorBytes);
  if (head.length < sectorBytes || head.readUInt16LE(mbr.markAt) !== mbr.mark)
    throw unknown(path, 'it has neither GPT nor MBR; a root file system alone is given by --root');
  const entries = Array.from({ length: mbr.entries }, (_, index) => entryAt(head, index));
  if (entries.some(({ type }) => type === mbr.protective)) return gpt(file, path);
  const partitions: FoundPartition[] = [];
  for (const [index, { type, first, sectors }] of entries.entries()) {
    if (sectors === 0 || type === 0) continue;
    if (extendedTypes.includes(type)) partitions.push(...(await logical(file, path, first)));
    else partitions.push(mbrPartition(index + 1, type, first, sectors));
  }
  if (partitions.length === 0) throw unknown(path, 'its MBR has no partition');
  return { kind: 'mbr', partitions: partitions.toSorted((a, b) => a.number - b.number) };
}

async function gpt(file: FileHandle, path: string): Promise<PartitionTable> {
  const header = await readAt(file, sectorBytes, 92);
  if (header.length < 92 || header.toString('latin1', 0, 8) !== 'EFI PART')
    throw unknown(
      path,
      'its MBR announces a GPT, and there is none; sectors of 4096 bytes are not supported',
    );
  const tableAt = Number(header.readBigUInt64LE(72)) * sectorBytes;
  const count = header.readUInt32LE(80);
  const entryBytes = header.readUInt32LE(84);
  if (entryBytes < 128 || entryBytes > 4096 || count > mostGptEntries || !Number.isSafeInteger(tableAt))
    throw unknown(path, `its GPT has ${count} entries of ${entryBytes} bytes, which is more than we read`);
  const table = await readAt(file, tableAt, count * entryBytes);
  const partitions: FoundPartition[] = [];
  for (let index = 0; (index + 1) * entryBytes <= table.length; index += 1) {
    const entry = table.subarray(index * entryBytes, index * entryBytes + 128);
    const type = guid(entry.subarray(0, 16));
    if (/^[0-]+$/.test(type)) continue;
    const [first, last] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
    if (last < first) throw unknown(path, `partition ${index + 1} of its GPT ends before it begins`);
    partitions.push({
      number: index + 1,
      offsetBytes: first * sectorBytes,
      sizeBytes: (last - first + 1) * sectorBytes,
      type,
      name: entry.toString('utf16le', 56, 128).replace(/\0.*$/s, ''),
    });
  }
  if (partitions.length === 0) throw unknown(path, 'its GPT has no partition');
  return { kind: 'gpt', partitions };
}

/** A chain of tables, each with one partition and the place of the next; numbers begin at 5. */
async function logical(file: FileHandle, path: string, extendedFirst: number): Promise<FoundPartition[]> {
  const partitions: FoundPartition[] = [];
  let at = extendedFirst;
  for (let link = 0; link < mostLogical; link += 1) {
    const table = await readAt(file, at * sectorBytes, sectorBytes);
    if (table.length < sectorBytes || table.readUInt16LE(mbr.markAt) !== mbr.mark)
      throw unknown(path, 'the chain of its extended partition is broken');
    const own = entryAt(table, 0);
    if (own.sectors !== 0) partitions.push(mbrPartition(5 + link, own.type, at + own.first, own.sectors));
    const next = entryAt(table, 1);
    if (next.sectors === 0) return partitions;
    at = extendedFirst + next.first;
  }
  throw unknown(path, `its extended partition has more than ${mostLogical} parts, or leads back into itself`);
}

function entryAt(table: Buffer, index: number): { type: number; first: number; sectors: number } {
  const at = mbr.entriesAt + index * mbr.entryBytes;
  return {
    type: table[at + 4] ?? 0,
    first: table.readUInt32LE(at + 8),
    sectors: table.readUInt32LE(at + 12),
  };
}

const mbrPartition = (number: number, type: number, first: number, sectors: number): FoundPartition => ({
  number,
  offsetBytes: first * sectorBytes,
  sizeBytes: sectors * sectorBytes,
  type: type.toString(16).padStart(2, '0'),
  name: '',
});

/** Its first three parts are little-endian (UEFI specification, appendix A). */
function guid(bytes: Buffer): string {
  const parts = [
    bytes.readUInt32LE(0).toString(16).padStart(8, '0'),
    bytes.readUInt16LE(4).toString(16).padStart(4, '0'),
    bytes.readUInt16LE(6).toString(16).padStart(4, '0'),
    bytes.toString('hex', 8, 10),
    bytes.toString('hex', 10, 16),
  ];
  return parts.join('-');
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

const unknown = (path: string, reason: string): ImageError =>
  new ImageError('unknownPartitionTable', `cannot read the partitions of ${path}: ${reason}`);
