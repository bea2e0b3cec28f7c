import type { Clock } from '../../system/system.ts';

/** Passes bytes on, all calls of one limit together at its rate. */
export type RateLimit = (
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
) => AsyncIterable<Uint8Array>;

/**
 * At most so many bytes a second on average, without catching up on time that the source or the reader took: other users of disk and network
 * get their share in every second. Throws the signal's reason.
 */
export function rateLimit(clock: Clock, bytesPerSecond: number | undefined): RateLimit {
  if (bytesPerSecond === undefined) return (content) => content;
  let freeAt = 0;
  return async function* (content, signal) {
    for await (const piece of content) {
      const now = clock.now();
      freeAt = Math.min(Math.max(freeAt, now), now + longestWaitMs);
      if (freeAt > now) await clock.sleep(freeAt - now, signal);
      freeAt += (piece.length / bytesPerSecond) * 1000;
      yield piece;
    }
  };
}

/** A clock that is set back meanwhile must not stop the download; 1 MiB at 1 KiB a second is 17 minutes. */
const longestWaitMs = 20 * 60_000;
