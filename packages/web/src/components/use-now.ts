import { useSyncExternalStore } from 'react';

const tickMs = 15_000;

const subscribe = (tick: () => void): (() => void) => {
  const timer = setInterval(tick, tickMs);
  return () => clearInterval(timer);
};

/** Milliseconds since 1970, to the quarter of a minute: what shows it is drawn anew as time goes on. */
export const useNow = (): number =>
  useSyncExternalStore(subscribe, () => Math.floor(Date.now() / tickMs) * tickMs);
