import type { World } from './world.ts';

/** Passes content through and draws how much of it went by on a terminal; elsewhere, or with `isQuiet`, does nothing else. */
export async function* withProgress(
  content: AsyncIterable<Uint8Array>,
  totalBytes: number,
  world: World,
  isQuiet: boolean,
): AsyncIterable<Uint8Array> {
  if (isQuiet || !world.isTerminal || totalBytes === 0) return yield* content;
  let done = 0;
  let drawn = -1;
  for await (const piece of content) {
    done += piece.length;
    const percent = Math.min(100, Math.floor((100 * done) / totalBytes));
    if (percent !== drawn) world.stderr.write(`\r${bar(percent)}`);
    drawn = percent;
    yield piece;
  }
  world.stderr.write('\r\x1b[K');
}

const barWidth = 40;

function bar(percent: number): string {
  const filled = Math.round((percent * barWidth) / 100);
  return `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${String(percent).padStart(3)} %`;
}
