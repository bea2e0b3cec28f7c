import type { Kept, Replay } from './replay.ts';
import { sectorBytes, type LogEntry, type Range } from './write-log.ts';

/** Why a state of the disk is looked at. */
export type CutKind =
  | 'at a mark'
  | 'after each request'
  | 'writes lost'
  | 'writes lost (sampled)'
  | 'a write torn'
  | 'a write torn (sampled)';

export interface Cut {
  readonly kind: CutKind;
  /** The entry of the log it belongs to. */
  readonly entry: number;
}

export interface CutLimits {
  /** Every subset of so many pending writes is looked at; of more, samples. */
  readonly exhaustiveWrites: number;
  /** Subsets drawn of larger sets. */
  readonly sampledSubsets: number;
  /** A write of so many sectors is torn at each of them; a larger one at samples. */
  readonly exhaustiveSectors: number;
  readonly sampledTears: number;
  /** Writes to these ranges, images, are torn at samples. */
  readonly images: readonly Range[];
  readonly random: () => number;
}

/**
 * Brings the replay through the log and stops at each state that a power cut could leave, as far as the limits go: at each mark, with
 * what is pending there or lost; after each request; at each flush with any of the writes it is about to make durable lost, which is
 * also what reordering can leave; and with one of them torn between sectors. Writes to other parts of the disk that are pending then are
 * all there, all lost, or drawn.
 */
export function* everyCut(
  replay: Replay,
  entries: readonly LogEntry[],
  limits: CutLimits,
): Generator<Cut, void> {
  const isImage = (at: number) =>
    limits.images.some((image) => at >= image.at && at < image.at + image.sizeBytes);
  for (const [number, entry] of entries.entries()) {
    if (entry.kind === 'mark') {
      yield { kind: 'at a mark', entry: number };
      for (const _ of replay.vary(() => 'none')) yield { kind: 'at a mark', entry: number };
      continue;
    }
    if (entry.kind === 'flush') yield* lose(replay, entry.range, number, limits, isImage);
    replay.apply(entry);
    yield { kind: 'after each request', entry: number };
  }
  const last = entries.length - 1;
  yield* lose(replay, { at: 0, sizeBytes: replay.disk.length }, last, limits, isImage);
}

function* lose(
  replay: Replay,
  flushed: Range,
  entry: number,
  limits: CutLimits,
  isImage: (at: number) => boolean,
): Generator<Cut, void> {
  const pending = replay.pending();
  const within = pending.flatMap(({ at }, index) =>
    at >= flushed.at && at < flushed.at + flushed.sizeBytes ? [index] : [],
  );
  const others = pending.length - within.length;
  const elsewhere: readonly (() => Kept)[] =
    others === 0
      ? [() => 'all']
      : [() => 'all', () => 'none', () => (limits.random() < 0.5 ? 'all' : 'none')];
  for (const other of elsewhere) {
    const kept = new Map<number, Kept>();
    const show = function* (kind: CutKind, keep: (place: number) => boolean): Generator<Cut, void> {
      for (const index of pending.keys()) kept.set(index, other());
      for (const [place, index] of within.entries()) kept.set(index, keep(place) ? 'all' : 'none');
      for (const _ of replay.vary((index) => kept.get(index) ?? 'all')) yield { kind, entry };
    };
    const count = within.length;
    if (count <= limits.exhaustiveWrites) {
      for (let subset = 0; subset < 2 ** count; subset += 1)
        yield* show('writes lost', (place) => ((subset >> place) & 1) === 1);
      continue;
    }
    for (let one = 0; one < count; one += Math.ceil(count / limits.sampledSubsets)) {
      yield* show('writes lost (sampled)', (place) => place !== one);
      yield* show('writes lost (sampled)', (place) => place === one);
    }
    for (let drawn = 0; drawn < limits.sampledSubsets; drawn += 1) {
      const share = limits.random();
      yield* show('writes lost (sampled)', () => limits.random() < share);
    }
  }
  for (const index of within) yield* tear(replay, index, entry, limits, isImage);
}

/** One write torn, with what came after it there or lost. */
function* tear(
  replay: Replay,
  torn: number,
  entry: number,
  limits: CutLimits,
  isImage: (at: number) => boolean,
): Generator<Cut, void> {
  const write = replay.pending()[torn];
  if (write === undefined) return;
  const sectors = write.bytes.length / sectorBytes;
  if (sectors < 2) return;
  const exhaustive = sectors <= limits.exhaustiveSectors && !isImage(write.at);
  const places = exhaustive
    ? Array.from({ length: sectors - 1 }, (_, index) => index + 1)
    : Array.from(
        { length: Math.min(limits.sampledTears, sectors - 1) },
        () => 1 + Math.floor(limits.random() * (sectors - 1)),
      );
  const kind = exhaustive ? 'a write torn' : 'a write torn (sampled)';
  for (const place of places) {
    for (const part of [
      { from: 0, to: place },
      { from: place, to: sectors },
    ]) {
      for (const later of ['none', 'all'] as const) {
        const kept = (index: number) => (index === torn ? part : index < torn ? 'all' : later);
        for (const _ of replay.vary(kept)) yield { kind, entry };
      }
    }
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
