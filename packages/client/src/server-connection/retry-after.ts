/** However long a server asks to be left alone, a device asks again within a day. */
const longestMs = 24 * 3600 * 1000;

/** Milliseconds to wait by a Retry-After header: seconds, or a date as HTTP writes it; undefined when it is neither. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Math.min(Number(header) * 1000, longestMs);
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(header)) return undefined;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.min(Math.max(date - nowMs, 0), longestMs);
}
