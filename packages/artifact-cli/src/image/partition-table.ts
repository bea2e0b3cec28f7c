import { readAt } from './file-system.ts';

const sectorBytes = 512;
const mbr = {
  entriesAt: 446,
  entryBytes: 16,
  entries: 4,
  mark: 0xaa55,
  markAt: 510,
  protective: 0xee,
} as const;
/** Kinds of MBR partitions that only hold others. */
const extendedKinds: readonly number[] = [0x05, 0x0f, 0x85];
const mostGptEntries = 128;

/** Where the partitions of a disk image begin, in bytes, in the order of their numbers; empty when it has no table (MBR or GPT). */
export async function partitionOffsets(file: string): Promise<readonly number[]> {
  const head = await readAt(file, 0, 2 * sectorBytes);
  if (head.length < sectorBytes || head.readUInt16LE(mbr.markAt) !== mbr.mark) return [];
  const entries = Array.from({ length: mbr.entries }, (_, index) => {
    const at = mbr.entriesAt + index * mbr.entryBytes;
    return { kind: head[at + 4] ?? 0, first: head.readUInt32LE(at + 8), sectors: head.readUInt32LE(at + 12) };
  });
  if (entries.some(({ kind }) => kind === mbr.protective)) return gptOffsets(file);
  const offsets: number[] = [];
  for (const { kind, first, sectors } of entries) {
    if (sectors === 0) continue;
    if (extendedKinds.includes(kind)) offsets.push(...(await logicalOffsets(file, first)));
    else offsets.push(first * sectorBytes);
  }
  return offsets;
}

async function gptOffsets(file: string): Promise<readonly number[]> {
  const header = await readAt(file, sectorBytes, 92);
  if (header.toString('latin1', 0, 8) !== 'EFI PART') return [];
  const tableAt = Number(header.readBigUInt64LE(72)) * sectorBytes;
  const count = Math.min(header.readUInt32LE(80), mostGptEntries);
  const entryBytes = header.readUInt32LE(84);
  if (entryBytes < 128 || entryBytes > 4096) return [];
  const table = await readAt(file, tableAt, count * entryBytes);
  const offsets: number[] = [];
  for (let at = 0; at + 128 <= table.length; at += entryBytes) {
    const isUsed = table.subarray(at, at + 16).some((byte) => byte !== 0);
    if (isUsed) offsets.push(Number(table.readBigUInt64LE(at + 32)) * sectorBytes);
  }
  return offsets;
}

/** A chain of tables, each with one partition and the place of the next. */
async function logicalOffsets(file: string, extendedFirst: number): Promise<readonly number[]> {
  const offsets: number[] = [];
  let at = extendedFirst;
  // The bound ends a chain that leads back into itself.
  for (let link = 0; link < 64; link += 1) {
    const table = await readAt(file, at * sectorBytes, sectorBytes);
    if (table.length < sectorBytes || table.readUInt16LE(mbr.markAt) !== mbr.mark) break;
    const first = table.readUInt32LE(mbr.entriesAt + 8);
    if (first !== 0) offsets.push((at + first) * sectorBytes);
    const next = table.readUInt32LE(mbr.entriesAt + mbr.entryBytes + 8);
    if (next === 0) break;
    at = extendedFirst + next;
  }
  return offsets;
}
