import type { Medium } from './medium.ts';

export const sectorBytes = 512;

/** A range of a disk, in bytes. */
export interface Range {
  readonly at: number;
  readonly sizeBytes: number;
}

/** What a disk was asked, in its order. */
export type LogEntry =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer }
  /** Every earlier write to the range is on the medium. */
  | { readonly kind: 'flush'; readonly range: Range }
  /** What the device said or did meanwhile: what it had begun when the power went. */
  | { readonly kind: 'mark'; readonly text: string };

export interface WriteLog {
  /** The disk before the first entry. */
  readonly initial: Buffer;
  readonly entries: readonly LogEntry[];
}

/** A disk of which nothing is kept: each text written to its beginning is a mark, in its place among the requests to all others. */
export function witnessMedium({ sizeBytes }: Range, entries: LogEntry[]): Medium {
  return {
    sizeBytes,
    read: (_at, length) => Buffer.alloc(length),
    write: (at, bytes) => {
      const [text = ''] = bytes.toString('latin1').split('\n');
      if (at === 0) entries.push({ kind: 'mark', text });
      return 'done';
    },
    flush: () => 'done',
  };
}

/** A part of a disk as a medium of its own, with a cache of its own: a flush of it says nothing of other parts. Each request is noted. */
export function recordingMedium(disk: Buffer, range: Range, entries: LogEntry[]): Medium {
  return {
    sizeBytes: range.sizeBytes,
    read: (at, length) => disk.subarray(range.at + at, range.at + at + length),
    write: (at, bytes) => {
      entries.push({ kind: 'write', at: range.at + at, bytes: Buffer.from(bytes) });
      bytes.copy(disk, range.at + at);
      return 'done';
    },
    flush: () => {
      entries.push({ kind: 'flush', range });
      return 'done';
    },
  };
}
