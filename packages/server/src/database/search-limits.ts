/** What keeps searches from holding up others, and each other. */
export interface SearchLimits {
  /** How many queries may run at one time. */
  readonly atOnce: number;
  /** How long one query may run; a search is a few of them. */
  readonly runMs: number;
  /** How long it may wait for its turn. */
  readonly waitMs: number;
  /** How many may wait. */
  readonly maxWaiting: number;
}

export const searchLimits = {
  atOnce: 2,
  runMs: 5000,
  waitMs: 10_000,
  maxWaiting: 100,
} as const satisfies SearchLimits;
