/** Waiting times between attempts at one thing. */
export interface Backoff {
  /** How long to wait after a failure, or that it is time to give up. */
  nextWaitMs(): number | 'giveUp';
  /** After a success the waits begin anew. */
  reset(): void;
}

export interface BackoffLimits {
  /** RetryPollIntervalSeconds: no wait is longer. */
  readonly longestMs: number;
  /** RetryPollCount: attempts in all; 0: three at the longest wait, then no more. */
  readonly count: number;
}

/**
 * Each wait is handed out three times, then doubled, from one minute up to the longest (client contract 6.2). At most 300 s:
 * 60 60 60 120 120 120 240 240 240 300 300 300, give up.
 */
export function newBackoff({ longestMs, count }: BackoffLimits): Backoff {
  let handedOut = 0;
  return {
    nextWaitMs: () => {
      const wait = Math.min(smallestMs * 2 ** Math.floor(handedOut / timesEach), longestMs);
      const untilLongest = timesEach * Math.max(0, Math.ceil(Math.log2(longestMs / smallestMs)));
      if (handedOut >= (count > 0 ? count : untilLongest + timesEach)) return 'giveUp';
      handedOut++;
      return wait;
    },
    reset: () => {
      handedOut = 0;
    },
  };
}

const smallestMs = 60_000;
const timesEach = 3;
