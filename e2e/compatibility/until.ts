import { setTimeout as wait } from 'node:timers/promises';

const pollMs = 100;

/** Asks until there is an answer, and returns it; throws with `what` when there is none within the time. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}`);
    await wait(pollMs);
  }
}
