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
  /** The last write is on the medium, though others may not be. */
  settleLast(): void;
  /** A name of the content of a range, the same for the same content. Ranges are those named at the beginning. */
  key(range: Range): bigint;
  /** While it stands at its one yield, the disk has only what is kept of the pending writes, in their order, over what is surely there. */
  vary(kept: (index: number) => Kept): Generator<void, void>;
}

export function replayOf(initial: Buffer, ranges: readonly Range[]): Replay {
  const disk = Buffer.from(initial);
  /** Of each sector that pending writes touch, what is on the medium in any case. */
  const durable = new Map<number, Buffer>();
  let pending: PendingWrite[] = [];
  const keys = new Map<Range, bigint>(ranges.map((range) => [range, 0n]));
  const sectorAt = (sector: number) => disk.subarray(sector * sectorBytes, (sector + 1) * sectorBytes);
  const put = (sector: number, bytes: Uint8Array) => {
    const at = sector * sectorBytes;
    for (const range of ranges) {
      if (at < range.at || at >= range.at + range.sizeBytes) continue;
      keys.set(
        range,
        (keys.get(range) ?? 0n) ^ sectorKey(sector, sectorAt(sector)) ^ sectorKey(sector, bytes),
      );
    }
    disk.set(bytes, at);
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
      for (const [sector, bytes] of sectorsOf(entry)) {
        if (!durable.has(sector)) durable.set(sector, Buffer.from(sectorAt(sector)));
        put(sector, bytes);
      }
      pending.push(entry);
    },
    settleLast: () => {
      const last = pending.pop();
      if (last === undefined) return;
      for (const [sector, bytes] of sectorsOf(last)) if (durable.has(sector)) durable.set(sector, bytes);
    },
    *vary(kept) {
      const shown = new Map<number, Uint8Array>(durable);
      for (const [index, write] of pending.entries()) {
        const keep = kept(index);
        if (keep === 'none') continue;
        for (const [sector, bytes, number] of sectorsOf(write))
          if (keep === 'all' || (number >= keep.from && number < keep.to)) shown.set(sector, bytes);
      }
      const before: [number, Buffer][] = [];
      for (const [sector, bytes] of shown) {
        const present = sectorAt(sector);
        if (present.equals(bytes)) continue;
        before.push([sector, Buffer.from(present)]);
        put(sector, bytes);
      }
      try {
        yield;
      } finally {
        for (const [sector, bytes] of before) put(sector, bytes);
      }
    },
  };
}

function* sectorsOf({ at, bytes }: PendingWrite): Generator<readonly [number, Buffer, number]> {
  const first = at / sectorBytes;
  for (let number = 0; number * sectorBytes < bytes.length; number += 1)
    yield [first + number, bytes.subarray(number * sectorBytes, (number + 1) * sectorBytes), number];
}

/** Sums of these over all sectors (XOR) name a content; 64 bits are enough to tell apart what one log can leave. */
function sectorKey(sector: number, bytes: Uint8Array): bigint {
  const place = Buffer.alloc(8);
  place.writeBigUInt64LE(BigInt(sector));
  return createHash('sha1').update(place).update(bytes).digest().readBigUInt64LE(0);
}
