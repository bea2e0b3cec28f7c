/** A line with its end, made when it is written. */
export type Line = () => string;

/**
 * Makes and writes lines many at a time: each by itself costs a busy server as much as to look up a device, and a hundred in a row a
 * fifth of that. What has gathered is written with the next `defer`, at once when there is much of it, and by `flush`.
 */
export function gatheredLines(
  write: (text: string) => void,
  defer: (run: () => void) => void,
): { readonly line: (line: Line) => void; readonly flush: () => void } {
  let waiting: Line[] = [];
  let isDeferred = false;
  const flush = (): void => {
    const lines = waiting;
    waiting = [];
    if (lines.length > 0) write(lines.map((line) => line()).join(''));
  };
  return {
    line: (line) => {
      waiting.push(line);
      if (waiting.length >= maxWaiting) flush();
      if (isDeferred || waiting.length === 0) return;
      isDeferred = true;
      defer(() => {
        isDeferred = false;
        flush();
      });
    },
    flush,
  };
}

/** A line holds what it is made of until then: an address alone may be 16 KiB. */
const maxWaiting = 100;
