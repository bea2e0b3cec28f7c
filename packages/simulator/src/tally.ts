/** What has happened so far, over the whole fleet. */
export interface Tally {
  readonly request: (name: string, status: number | 'unreachable', milliseconds: number) => void;
  readonly event: (name: TalliedEvent) => void;
  readonly downloaded: (bytes: number) => void;
  /** One line. */
  readonly progress: () => string;
  /** The table at the end. */
  readonly summary: () => string;
  readonly events: () => Readonly<Record<TalliedEvent, number>>;
}

/** What is told of the fleet, in this order. */
const events = ['let in', 'updates begun', 'succeeded', 'failed', 'aborted', 'cut'] as const;
export type TalliedEvent = (typeof events)[number];

interface Requests {
  readonly byStatus: Map<number | 'unreachable', number>;
  /** How many took up to 2^n milliseconds: bounded, however long the run. */
  readonly byDuration: number[];
}

const longest = 20;

export function tally(devices: number): Tally {
  const requests = new Map<string, Requests>();
  const counts: Record<TalliedEvent, number> = {
    'let in': 0,
    'updates begun': 0,
    succeeded: 0,
    failed: 0,
    aborted: 0,
    cut: 0,
  };
  let bytes = 0;
  const told = () => events.map((name) => `${counts[name]} ${name}`).join(', ');
  const megabytes = () => `${(bytes / 1e6).toFixed(1)} MB`;
  return {
    request: (name, status, milliseconds) => {
      const known = requests.get(name) ?? {
        byStatus: new Map(),
        byDuration: Array.from({ length: longest + 1 }, () => 0),
      };
      requests.set(name, known);
      known.byStatus.set(status, (known.byStatus.get(status) ?? 0) + 1);
      const slot = Math.min(longest, Math.max(0, Math.ceil(Math.log2(milliseconds))));
      known.byDuration[slot] = (known.byDuration[slot] ?? 0) + 1;
    },
    event: (name) => void (counts[name] += 1),
    downloaded: (more) => void (bytes += more),
    events: () => ({ ...counts }),
    progress: () => `${devices} devices: ${told()}; ${megabytes()} downloaded`,
    summary: () => {
      const rows = [...requests].map(([name, { byStatus, byDuration }]) => [
        name,
        [...byStatus].map(([status, count]) => `${status}: ${count}`).join(', '),
        `${within(byDuration, 0.5)}`,
        `${within(byDuration, 0.99)}`,
      ]);
      return [
        table([['request', 'answers', 'half within ms', '99 % within ms'], ...rows]),
        '',
        ...events.map((name) => `${name.padEnd(14)} ${counts[name]}`),
        `${'downloaded'.padEnd(14)} ${megabytes()}`,
      ].join('\n');
    },
  };
}

function within(byDuration: readonly number[], share: number): number {
  const wanted = byDuration.reduce((sum, count) => sum + count, 0) * share;
  let seen = 0;
  return 2 ** byDuration.findIndex((count) => (seen += count) >= wanted);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
