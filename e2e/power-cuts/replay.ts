import { createHash } from 'node:crypto';
import { sectorBytes, type LogEntry, type Range } from './write-log.ts';

/** A write that may not be on the medium when the power goes. */
export interface PendingWrite {
  readonly at: number;
  readonly bytes: Buffer;
}

/** Which sectors of a pending write reached the medium. */
export type Kept = 'all' | 'none' | { readonly from: number; readonly to: number };

/** A disk that is brought from entry to entry of a log, and that knows what a power cut now could leave on it. */
export interface Replay {
  /** Everything written so far; a variation shows here while it is looked at. */
  readonly disk: Buffer;
  pending(): readonly PendingWrite[];
  apply(entry: LogEntry): void;
  /** A name of the content of a range, the same for the same content. Ranges are those named at the beginning. */
  key(range: Range): bigint;
  /** While it stands at its one yield, the disk has only what is kept of the pending writes, in their order, over what is surely there. */
  vary(kept: (index: number) => Kept): Generator<void, void>;
}

/** What one sector holds, with its part of the names of contents: computing that is most of the work. */
interface SectorContent {
  readonly bytes: Buffer;
  readonly key: bigint;
}

export function replayOf(initial: Buffer, ranges: readonly Range[]): Replay {
  const disk = Buffer.from(initial);
  /** Of each sector that pending writes touch, what is on the medium in any case. */
  const durable = new Map<number, SectorContent>();
  let pending: (PendingWrite & { readonly sectors: ReadonlyMap<number, SectorContent> })[] = [];
  const keys = new Map<Range, bigint>(ranges.map((range) => [range, 0n]));
  /** Of the sectors that are not as they were in the beginning. */
  const changed = new Map<number, bigint>();
  const present = (sector: number): SectorContent => {
    const bytes = disk.subarray(sector * sectorBytes, (sector + 1) * sectorBytes);
    return { bytes, key: changed.get(sector) ?? sectorKey(sector, bytes) };
  };
  const put = (sector: number, { bytes, key }: SectorContent) => {
    const at = sector * sectorBytes;
    const before = present(sector).key;
    for (const range of ranges) {
      if (at < range.at || at >= range.at + range.sizeBytes) continue;
      keys.set(range, (keys.get(range) ?? 0n) ^ before ^ key);
    }
    disk.set(bytes, at);
    changed.set(sector, key);
  };
  const copyOf = (sector: number): SectorContent => {
    const { bytes, key } = present(sector);
    return { bytes: Buffer.from(bytes), key };
  };
  return {
    disk,
    pending: () => pending,
    key: (range) => keys.get(range) ?? 0n,
    apply: (entry) => {
      if (entry.kind === 'mark') return;
      if (entry.kind === 'flush') {
        const isIn = (at: number) => at >= entry.range.at && at < entry.range.at + entry.range.sizeBytes;
        pending = pending.filter(({ at }) => !isIn(at));
        for (const sector of durable.keys()) if (isIn(sector * sectorBytes)) durable.delete(sector);
        return;
      }
      const sectors = sectorsOf(entry);
      for (const [sector, content] of sectors) {
        if (!durable.has(sector)) durable.set(sector, copyOf(sector));
        put(sector, content);
      }
      pending.push({ at: entry.at, bytes: entry.bytes, sectors });
    },
    *vary(kept) {
      const shown = new Map(durable);
      for (const [index, { at, sectors }] of pending.entries()) {
        const keep = kept(index);
        if (keep === 'none') continue;
        const first = at / sectorBytes;
        for (const [sector, content] of sectors)
          if (keep === 'all' || (sector >= first + keep.from && sector < first + keep.to))
            shown.set(sector, content);
      }
      const before: [number, SectorContent][] = [];
      for (const [sector, content] of shown) {
        if (present(sector).key === content.key) continue;
        before.push([sector, copyOf(sector)]);
        put(sector, content);
      }
      try {
        yield;
      } finally {
        for (const [sector, content] of before) put(sector, content);
      }
    },
  };
}

function sectorsOf({ at, bytes }: PendingWrite): ReadonlyMap<number, SectorContent> {
  const sectors = new Map<number, SectorContent>();
  for (let from = 0; from < bytes.length; from += sectorBytes) {
    const sector = (at + from) / sectorBytes;
    const content = bytes.subarray(from, from + sectorBytes);
    sectors.set(sector, { bytes: content, key: sectorKey(sector, content) });
  }
  return sectors;
}

/** Sums of these over all sectors (XOR) name a content; 64 bits are enough to tell apart what one log can leave. */
function sectorKey(sector: number, bytes: Uint8Array): bigint {
  const place = Buffer.alloc(8);
  place.writeBigUInt64LE(BigInt(sector));
  return createHash('sha1').update(place).update(bytes).digest().readBigUInt64LE(0);
}
