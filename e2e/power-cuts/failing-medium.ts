import { soundMedium, type Medium } from './medium.ts';

const sectorBytes = 512;

/**
 * What can happen to a write on its way to a failing disk, by its name in reports. Each gives what reaches the disk, and whether the
 * system hears of it.
 */
export const writeFaults = {
  'answered with EIO': () => ({ stored: [], answer: 'failed' }),
  dropped: () => ({ stored: [], answer: 'done' }),
  'one bit flipped': (at, bytes) => {
    const flipped = Buffer.from(bytes);
    const middle = Math.floor(flipped.length / 2);
    flipped[middle] = (flipped[middle] ?? 0) ^ 1;
    return { stored: [{ at, bytes: flipped }], answer: 'done' };
  },
  'its last sector missing': (at, bytes) => ({
    stored: [{ at, bytes: bytes.subarray(0, -sectorBytes) }],
    answer: 'done',
  }),
  'one sector too far': (at, bytes) => ({ stored: [{ at: at + sectorBytes, bytes }], answer: 'done' }),
} as const satisfies Record<
  string,
  (
    at: number,
    bytes: Buffer,
  ) => {
    readonly stored: readonly { readonly at: number; readonly bytes: Buffer }[];
    readonly answer: 'done' | 'failed';
  }
>;

export type Fault =
  | { readonly kind: keyof typeof writeFaults; readonly write: number }
  | { readonly kind: 'flush answered with EIO'; readonly flush: number };

/** A disk with one fault: at the write or flush of that number, counted from `begin`, the first being 1. */
export function failingMedium(sizeBytes: number) {
  const content = Buffer.alloc(sizeBytes);
  const sound = soundMedium(content);
  let fault: Fault | undefined;
  const seen = { writes: 0, flushes: 0 };
  const medium: Medium = {
    ...sound,
    write: (at, bytes) => {
      seen.writes += 1;
      if (fault === undefined || !('write' in fault) || fault.write !== seen.writes)
        return sound.write(at, bytes);
      const { stored, answer } = writeFaults[fault.kind](at, bytes);
      for (const piece of stored) sound.write(piece.at, piece.bytes);
      return answer;
    },
    flush: () => {
      seen.flushes += 1;
      return fault !== undefined && 'flush' in fault && fault.flush === seen.flushes ? 'failed' : 'done';
    },
  };
  return {
    medium,
    content,
    seen: seen as Readonly<typeof seen>,
    /** From here on writes and flushes are counted. Without a fault the disk is sound. */
    begin: (next?: Fault) => {
      Object.assign(seen, { writes: 0, flushes: 0 });
      fault = next;
    },
  };
}
