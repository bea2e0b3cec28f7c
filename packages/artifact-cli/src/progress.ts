import type { World } from './world.ts';

/** Draws on stderr how much is done, and is wiped away at the end. */
export interface ProgressBar {
  readonly show: (doneBytes: number, totalBytes: number) => void;
  readonly clear: () => void;
}

/** Undefined where nobody looks: with `isQuiet`, or when stderr is no terminal. */
export function progressBar(world: World, isQuiet: boolean): ProgressBar | undefined {
  if (isQuiet || !world.isTerminal) return undefined;
  let drawn = -1;
  return {
    show: (doneBytes, totalBytes) => {
      const percent = Math.min(100, Math.floor((100 * doneBytes) / Math.max(totalBytes, 1)));
      if (percent !== drawn) world.stderr.write(`\r${bar(percent)}`);
      drawn = percent;
    },
    clear: () => void world.stderr.write('\r\x1b[K'),
  };
}

/** Passes content through and shows how much of it went by. */
export async function* withProgress(
  content: AsyncIterable<Uint8Array>,
  totalBytes: number,
  shown: ProgressBar | undefined,
): AsyncIterable<Uint8Array> {
  if (shown === undefined) return yield* content;
  let done = 0;
  try {
    for await (const piece of content) {
      done += piece.length;
      shown.show(done, totalBytes);
      yield piece;
    }
  } finally {
    shown.clear();
  }
}

const barWidth = 40;

function bar(percent: number): string {
  const filled = Math.round((percent * barWidth) / 100);
  return `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${String(percent).padStart(3)} %`;
}
