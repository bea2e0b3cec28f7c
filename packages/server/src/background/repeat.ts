import type { Log } from '../log.ts';

/**
 * Runs `task` again and again, `intervalMs` after it has ended, until stopped. A failure is logged and does not end it: the task is
 * one that picks up what was left. Stopping waits for a run under way.
 */
export function repeat(
  name: string,
  intervalMs: number,
  task: () => Promise<void>,
  log: Log,
): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const plan = () => {
    if (stopped) return;
    timer = setTimeout(() => {
      running = run();
    }, intervalMs);
    timer.unref();
  };
  const run = async () => {
    try {
      await task();
    } catch (error) {
      log('error', `${name} failed; it will be tried again`, {
        cause: error instanceof Error ? error.message : String(error),
      });
    }
    plan();
  };
  plan();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}
