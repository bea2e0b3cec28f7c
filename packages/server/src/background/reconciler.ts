import type { Log } from '../log.ts';

export interface Reconciler {
  /** There may be something to do now; it is not waited for. */
  readonly nudge: () => void;
  /** Aborts what is under way and waits until it has ended. */
  readonly stop: () => Promise<void>;
}

/**
 * Runs `task` whenever nudged, and every `intervalMs` for what a nudge was lost of or what failed; never twice at once. The task
 * finds out by itself what is left to do, so that it goes on after a restart where it stood.
 */
export function reconciler(
  name: string,
  intervalMs: number,
  task: (signal: AbortSignal) => Promise<void>,
  log: Log,
): Reconciler {
  const stopped = new AbortController();
  let wake: () => void = () => undefined;
  let isNudged = false;

  const nextTurn = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, intervalMs);
      timer.unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (isNudged || stopped.signal.aborted) wake();
    });

  const loop = async () => {
    for (;;) {
      await nextTurn();
      if (stopped.signal.aborted) return;
      isNudged = false;
      try {
        await task(stopped.signal);
      } catch (error) {
        if (stopped.signal.aborted) return;
        log('error', `${name} failed; it will be tried again`, {
          cause: error instanceof Error ? error.message : String(error),
        });
      }
    }
  };
  const ended = loop();

  return {
    nudge: () => {
      isNudged = true;
      wake();
    },
    stop: async () => {
      stopped.abort(new Error('the server is being stopped'));
      wake();
      await ended;
    },
  };
}
