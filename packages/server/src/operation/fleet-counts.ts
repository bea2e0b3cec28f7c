import type { Clock } from '../clock.ts';
import type { Database } from '../database/open-database.ts';
import { deploymentStatuses } from '../deployments/deployment-status.ts';
import { deviceStatuses } from '../device-auth/device-status.ts';
import type { Log } from '../log.ts';

/** How many there are, by status. */
export interface FleetCounts {
  readonly devices: ReadonlyMap<string, number>;
  readonly deployments: ReadonlyMap<string, number>;
}

const keptMs = 60_000;

/**
 * The counts, of all tenants together, at most a minute old: whoever reads metrics often does not make us go through every device
 * each time. They are counted beside the polls; when that fails the last ones go on.
 */
export function fleetCounts(
  { search }: Pick<Database, 'search'>,
  clock: Clock,
  log: Log,
): () => Promise<FleetCounts> {
  let last: FleetCounts = { devices: new Map(), deployments: new Map() };
  let counted = -Infinity;
  let counting: Promise<void> | undefined;

  const count = async () => {
    try {
      last = {
        devices: byStatus(
          deviceStatuses,
          await search
            .selectFrom('devices')
            .select(['status', ({ fn }) => fn.countAll<number>().as('count')])
            .groupBy('status')
            .execute(),
        ),
        deployments: byStatus(
          deploymentStatuses,
          await search
            .selectFrom('deployments')
            .select(['status', ({ fn }) => fn.countAll<number>().as('count')])
            .groupBy('status')
            .execute(),
        ),
      };
    } catch (error) {
      log('warning', 'devices and deployments could not be counted for the metrics', {
        cause: error instanceof Error ? error.message : String(error),
      });
    }
    counted = clock();
  };

  return async () => {
    if (clock() - counted >= keptMs) {
      counting ??= count().finally(() => {
        counting = undefined;
      });
      await counting;
    }
    return last;
  };
}

/** Also those that there are none of: a line that vanishes is not the same as one that falls to 0. */
const byStatus = (
  statuses: readonly string[],
  rows: readonly { readonly status: string; readonly count: number }[],
): Map<string, number> =>
  new Map([
    ...statuses.map((status) => [status, 0] as const),
    ...rows.map(({ status, count }) => [status, Number(count)] as const),
  ]);
