import { sql } from 'kysely';
import type { Reader, Transaction } from '../database/tables.ts';
import { statistics, type Statistics } from './deployment-status.ts';
import type { DeviceDeploymentStatus } from './device-deployment-statuses.ts';

/** SQL on how many devices of the deployments of one tenant are in which status. */
export const deploymentStatisticsStore = {
  forTenant: (tenant: string) => ({
    /** All devices are pending to begin with. */
    insert: (tx: Transaction, id: string, devices: number) =>
      tx
        .insertInto('deployment_statistics')
        .values({ tenant, deployment_id: id, status: 'pending', devices })
        .execute(),

    get: async (reader: Reader, ids: readonly string[]): Promise<ReadonlyMap<string, Statistics>> => {
      const rows =
        ids.length === 0
          ? []
          : await reader
              .selectFrom('deployment_statistics')
              .where('tenant', '=', tenant)
              .where('deployment_id', 'in', ids)
              .select(['deployment_id', 'status', 'devices'])
              .execute();
      const counts = new Map<string, Partial<Record<DeviceDeploymentStatus, number>>>();
      for (const { deployment_id, status, devices } of rows) {
        counts.set(deployment_id, { ...counts.get(deployment_id), [status]: devices });
      }
      return new Map(ids.map((id) => [id, statistics(counts.get(id))]));
    },

    /** One device goes from one counter to another. */
    moveDevice: async (
      tx: Transaction,
      id: string,
      from: DeviceDeploymentStatus,
      to: DeviceDeploymentStatus,
    ): Promise<void> => {
      if (from === to) return;
      for (const [status, devices] of [
        [from, -1],
        [to, 1],
      ] as const) {
        await tx
          .insertInto('deployment_statistics')
          .values({ tenant, deployment_id: id, status, devices })
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'deployment_id', 'status'])
              .doUpdateSet({ devices: sql<number>`deployment_statistics.devices + ${devices}` }),
          )
          .execute();
      }
    },

    replace: async (tx: Transaction, id: string, counts: Partial<Statistics>): Promise<void> => {
      await tx
        .deleteFrom('deployment_statistics')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', id)
        .execute();
      for (const [status, devices] of Object.entries(statistics(counts))) {
        // The keys of statistics are the statuses.
        const key = { tenant, deployment_id: id, status: status as DeviceDeploymentStatus };
        if (devices > 0)
          await tx
            .insertInto('deployment_statistics')
            .values({ ...key, devices })
            .execute();
      }
    },
  }),
};
