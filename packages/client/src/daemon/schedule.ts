import type { Clock } from '../system/system.ts';
import { newBackoff, type BackoffLimits } from './backoff.ts';

export type Work = 'deploymentPoll' | 'inventoryPoll';

/** What the daemon has to do next, and when. */
export interface Schedule {
  /** Resolves when something is due; 'stop' when nothing will ever be again. Rejects with the signal's reason. */
  nextWork(signal: AbortSignal): Promise<Work | 'stop'>;
  /** It went well: due again after its interval. */
  done(work: Work): void;
  /** It did not: due again after a backoff, or when the server said. */
  failed(work: Work, retryAfterMs: number | undefined): void;
  /** A deployment has ended, and the server is to hear what the device is now. */
  inventoryNow(): void;
}

export interface ScheduleIntervals {
  readonly updatePollIntervalMs: number;
  readonly inventoryPollIntervalMs: number;
  readonly retryPollIntervalMs: number;
  readonly retryPollCount: number;
}

/** For a daemon that stays: both are due at once, then at their intervals. `now` makes one due at once, at any time. */
export function residentSchedule(
  intervals: ScheduleIntervals,
  clock: Clock,
): Schedule & { readonly now: (work: Work) => void } {
  const limits: BackoffLimits = { longestMs: intervals.retryPollIntervalMs, count: intervals.retryPollCount };
  // The inventory first: a deployment for a group of devices may depend on it.
  const works = {
    inventoryPoll: {
      intervalMs: intervals.inventoryPollIntervalMs,
      dueAt: clock.now(),
      waitMs: 0,
      wanted: false,
      backoff: newBackoff(limits),
    },
    deploymentPoll: {
      intervalMs: intervals.updatePollIntervalMs,
      dueAt: clock.now(),
      waitMs: 0,
      wanted: false,
      backoff: newBackoff(limits),
    },
  };
  let wake = new AbortController();
  const wait = (work: Work, waitMs: number): void => {
    works[work].dueAt = clock.now() + waitMs;
    works[work].waitMs = waitMs;
  };
  /** What was wanted while it was under way is due again at once: the server may have answered before there was a reason to ask. */
  const waitAfter = (work: Work, waitMs: number): void => wait(work, works[work].wanted ? 0 : waitMs);
  const now = (work: Work): void => {
    works[work].wanted = true;
    wait(work, 0);
    wake.abort();
  };
  return {
    now,
    nextWork: async (signal) => {
      for (;;) {
        const next: Work =
          works.inventoryPoll.dueAt <= works.deploymentPoll.dueAt ? 'inventoryPoll' : 'deploymentPoll';
        const waitMs = works[next].dueAt - clock.now();
        // A clock that was set back, by years at times, must not put off what is due by as much.
        if (waitMs <= 0 || waitMs > works[next].waitMs) {
          works[next].wanted = false;
          return next;
        }
        wake = new AbortController();
        const woken = wake.signal;
        await clock.sleep(waitMs, AbortSignal.any([signal, woken])).catch((error: unknown) => {
          if (!woken.aborted || signal.aborted) throw error;
        });
      }
    },
    done: (work) => {
      waitAfter(work, works[work].intervalMs);
      works[work].backoff.reset();
    },
    failed: (work, retryAfterMs) => {
      const waitMs = works[work].backoff.nextWaitMs();
      if (waitMs === 'giveUp') works[work].backoff.reset();
      waitAfter(work, retryAfterMs ?? (waitMs === 'giveUp' ? works[work].intervalMs : waitMs));
    },
    inventoryNow: () => now('inventoryPoll'),
  };
}

/** For a run on demand: the inventory, one poll, the inventory again when a deployment has ended, and that was it. */
export function onceSchedule(): Schedule & { readonly pollFailed: () => boolean } {
  const due: Work[] = ['inventoryPoll', 'deploymentPoll'];
  let pollFailed = false;
  return {
    nextWork: async () => due.shift() ?? 'stop',
    done: () => undefined,
    failed: (work) => {
      if (work === 'deploymentPoll') pollFailed = true;
    },
    inventoryNow: () => {
      if (!due.includes('inventoryPoll')) due.push('inventoryPoll');
    },
    pollFailed: () => pollFailed,
  };
}
