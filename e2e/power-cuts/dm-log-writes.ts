import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { LogEntry } from './write-log.ts';

/*
 * The log of dm-log-writes, as QEMU's blklogwrites writes it (Documentation/admin-guide/device-mapper/log-writes.rst). Little-endian; in
 * the first sector the superblock: magic, version 1, number of entries, sector size. Then for each entry a sector with: sector, number
 * of sectors, flags, length of data that is part of the entry (marks); behind it the data, in whole sectors.
 */
const magic = 0x6a736677736872n;
const flags = { flush: 1n, durable: 2n, discard: 4n, mark: 8n } as const;
const mostSectors = 1 << 20;

/**
 * The entries of a log. A discard becomes a write of zeroes, which is what a disk may answer with afterwards. Throws when the file is no
 * such log, or is cut off.
 */
export function* readDmLogWrites(path: string, diskBytes: number): Generator<LogEntry> {
  const file = openSync(path, 'r');
  try {
    const bytes = fstatSync(file).size;
    const take = (at: number, length: number): Buffer => {
      const taken = Buffer.alloc(length);
      if (readSync(file, taken, 0, length, at) !== length)
        throw new Error(`The log ${path} is cut off: it has ${bytes} bytes.`);
      return taken;
    };
    const superblock = take(0, 28);
    if (superblock.readBigUInt64LE(0) !== magic || superblock.readBigUInt64LE(8) !== 1n)
      throw new Error(`${path} is no log of writes.`);
    const sectorBytes = superblock.readUInt32LE(24);
    let at = sectorBytes;
    for (let left = superblock.readBigUInt64LE(16); left > 0n; left -= 1n) {
      const header = take(at, 32);
      at += sectorBytes;
      const sector = Number(header.readBigUInt64LE(0));
      const sectors = Number(header.readBigUInt64LE(8));
      const flag = header.readBigUInt64LE(16);
      const length = Number(header.readBigUInt64LE(24));
      if (sectors > mostSectors || length > mostSectors)
        throw new Error(`${path} has an impossible entry at ${at}.`);
      if ((flag & flags.flush) !== 0n) yield { kind: 'flush', range: { at: 0, sizeBytes: diskBytes } };
      if ((flag & flags.mark) !== 0n) {
        yield { kind: 'mark', text: take(at, length).toString() };
        at += Math.ceil(length / sectorBytes) * sectorBytes;
        continue;
      }
      if (sectors === 0) continue;
      const discard = (flag & flags.discard) !== 0n;
      const size = sectors * sectorBytes;
      yield {
        kind: 'write',
        at: sector * sectorBytes,
        bytes: discard ? Buffer.alloc(size) : take(at, size),
        durable: (flag & flags.durable) !== 0n,
      };
      if (!discard) at += size;
    }
  } finally {
    closeSync(file);
  }
}
