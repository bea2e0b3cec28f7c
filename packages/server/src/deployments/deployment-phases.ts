/** A part of the devices, and from when on they are served (server contract 10.6). */
export interface Phase {
  /** Percent of the targeted devices; null for those that are left. */
  readonly batchSize: number | null;
  /** Milliseconds since 1970. */
  readonly starts: number;
}

/** Without phases asked for there is one: all devices, from the creation on. */
export const singlePhase = (created: number): readonly Phase[] => [{ batchSize: null, starts: created }];

export const firstPhaseStarted = (phases: readonly Phase[], now: number): boolean =>
  phases.length === 0 || phases.some(({ starts }) => starts <= now);

/** How many devices may be served by now: the batches that have begun, each rounded down, the last one taking the rest. */
export function openPlaces(phases: readonly Phase[], maxDevices: number, now: number): number {
  const begun = phases.filter(({ starts }) => starts <= now);
  if (begun.some(({ batchSize }) => batchSize === null)) return maxDevices;
  return begun.reduce(
    (places, { batchSize }) => places + Math.floor((maxDevices * (batchSize ?? 0)) / 100),
    0,
  );
}
