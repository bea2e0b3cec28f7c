import type { Readable, Writable } from 'node:stream';

/** What a machine says on its serial line, and the way to type there. */
export interface SerialConsole {
  /** Every line so far, of long runs the last ones. The last entry may still be growing: a prompt has no end of line. */
  readonly lines: readonly SerialLine[];
  /** How many lines have begun; give it as `after` to wait only for what comes from here on. */
  readonly position: () => number;
  /** The first line, in order, that matches. Rejects with the last lines when none comes within `limitMs`, or when the machine ends. */
  readonly waitFor: (pattern: RegExp, options: WaitOptions) => Promise<SeenLine>;
  readonly send: (text: string) => void;
  /** Calls for each whole line from now on; the function it gives ends that. */
  readonly onLine: (listener: (line: SerialLine) => void) => () => void;
}

export interface WaitOptions {
  readonly limitMs: number;
  /** Lines that began before this position do not count. Default 0: the whole run. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

export interface SerialLine {
  /** Without escape sequences and line ends. */
  readonly text: string;
  /** When it began, in milliseconds after the machine was started. */
  readonly atMs: number;
}

export interface SeenLine extends SerialLine {
  readonly match: RegExpExecArray;
  /** The position behind this line. */
  readonly next: number;
}

const maxLineLength = 4096;
/** As many lines are kept; a guest that prints without end costs no more. */
const maxLines = 50_000;
/** Terminals are told colours and positions by firmware and bootloaders. */
// oxlint-disable-next-line no-control-regex -- escape sequences are control characters
const escapeSequence = /\x1b(?:\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>78cM])/g;

export function serialConsole(output: Readable, input: Writable, now: () => number): SerialConsole {
  const lines: SerialLine[] = [];
  let dropped = 0;
  /** What came of a line that has not ended. */
  let rest = '';
  let isGrowing = false;
  let isEnded = false;
  const waiting = new Set<() => void>();
  const listeners = new Set<(line: SerialLine) => void>();

  const begin = (text: string): void => {
    lines.push({ text, atMs: now() });
    if (lines.length > maxLines) {
      lines.shift();
      dropped += 1;
    }
  };
  const put = (text: string, isWhole: boolean): void => {
    const clean = text.replaceAll(escapeSequence, '').replaceAll('\r', '').slice(0, maxLineLength);
    const last = lines.at(-1);
    // What was only escape sequences so far had not begun.
    if (last === undefined || !isGrowing) begin(clean);
    else if (last.text === '') lines[lines.length - 1] = { text: clean, atMs: now() };
    else lines[lines.length - 1] = { ...last, text: clean };
    isGrowing = !isWhole;
    const line = lines.at(-1);
    if (isWhole && line !== undefined) for (const listener of listeners) listener(line);
  };

  output.setEncoding('utf8').on('data', (chunk: string) => {
    const pieces = (rest + chunk).split('\n');
    rest = (pieces.pop() ?? '').slice(0, maxLineLength);
    for (const piece of pieces) put(piece, true);
    if (rest !== '') put(rest, false);
    for (const look of waiting) look();
  });
  output.on('close', () => {
    isEnded = true;
    for (const look of waiting) look();
  });
  // A machine whose power was cut reads no more.
  input.on('error', () => undefined);

  const waitFor = (pattern: RegExp, { limitMs, after = 0, signal }: WaitOptions): Promise<SeenLine> =>
    new Promise((resolve, reject) => {
      let next = after;
      const end = (finish: () => void): void => {
        clearTimeout(limit);
        waiting.delete(look);
        signal?.removeEventListener('abort', abort);
        finish();
      };
      const fail = (why: string): void => {
        const tail = lines.slice(-40).map(({ text }) => `  | ${text}`);
        end(() =>
          reject(new Error(`${why} while waiting for ${String(pattern)}; it said last:\n${tail.join('\n')}`)),
        );
      };
      const look = (): void => {
        for (let index = Math.max(next - dropped, 0); index < lines.length; index += 1) {
          const line = lines[index];
          const match = line === undefined ? null : pattern.exec(line.text);
          if (line !== undefined && match !== null) {
            end(() => resolve({ ...line, match, next: dropped + index + 1 }));
            return;
          }
        }
        // The last line may grow into a match: it is looked at again.
        next = Math.max(next, dropped + lines.length - 1);
        if (isEnded) fail('the machine ended');
      };
      const abort = (): void => fail('the run was aborted');
      const limit = setTimeout(() => fail(`${String(limitMs / 1000)} s went by`), limitMs);
      waiting.add(look);
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted === true) abort();
      else look();
    });

  return {
    lines,
    position: () => dropped + lines.length,
    waitFor,
    send: (text) => void input.write(text),
    onLine: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
