import type { Clock } from '../clock.ts';
import { ServerError } from '../server-error.ts';

export interface LoginRate {
  /**
   * Runs an attempt, or throws `tooManyRequests`: too many have failed under this name, or too many run at once. The name is an
   * address and where it is tried from, so that nobody can lock out another from afar.
   */
  readonly attempt: <R>(name: string, run: () => Promise<R>) => Promise<R>;
}

const maxFailures = 10;
const windowMs = 60_000;
/** Each attempt takes 19 MiB and a thread while its password is hashed. */
const maxAtOnce = 16;
const maxNames = 10_000;

/**
 * Bounds how fast passwords can be tried: ten failures a minute for one name. A success does not clear them, and only failures
 * count, so that programs which log in all the time are left alone.
 */
export function loginRate(clock: Clock): LoginRate {
  const failures = new Map<string, { since: number; count: number }>();
  let running = 0;

  const recent = (name: string) => {
    const entry = failures.get(name);
    return entry !== undefined && clock() - entry.since < windowMs ? entry : undefined;
  };

  return {
    attempt: async (name, run) => {
      const past = recent(name);
      if (past !== undefined && past.count >= maxFailures) throw tooMany(past.since + windowMs - clock());
      if (running >= maxAtOnce) throw tooMany(1000);
      running += 1;
      try {
        return await run();
      } catch (error) {
        const { since, count } = recent(name) ?? { since: clock(), count: 0 };
        failures.delete(name);
        failures.set(name, { since, count: count + 1 });
        const oldest = failures.keys().next();
        if (failures.size > maxNames && !oldest.done) failures.delete(oldest.value);
        throw error;
      } finally {
        running -= 1;
      }
    },
  };
}

const tooMany = (waitMs: number) =>
  new ServerError('tooManyRequests', 'too many requests', {
    headers: { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) },
  });
