/**
 * Writes lines a few at a time: to write each by itself costs a busy server as much as to look up a device. What has gathered is
 * written with the next `defer`, at once when there is much of it, and by `flush`.
 */
export function gatheredLines(
  write: (text: string) => void,
  defer: (run: () => void) => void,
): { readonly line: (line: string) => void; readonly flush: () => void } {
  let waiting = '';
  let isDeferred = false;
  const flush = (): void => {
    const text = waiting;
    waiting = '';
    if (text !== '') write(text);
  };
  return {
    line: (line) => {
      waiting += line;
      if (waiting.length > maxWaitingLength) flush();
      if (isDeferred || waiting === '') return;
      isDeferred = true;
      defer(() => {
        isDeferred = false;
        flush();
      });
    },
    flush,
  };
}

const maxWaitingLength = 65_536;
