import { sql } from 'kysely';
import type { Reader, Transaction } from '../database/tables.ts';
import { statistics, type Statistics } from './deployment-status.ts';
import { allStatuses, statusIsActive, type DeviceDeploymentStatus } from './device-deployment-statuses.ts';

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

    /** Devices that never asked do not count any more. */
    dropPending: (tx: Transaction, id: string, devices: number) =>
      tx
        .updateTable('deployment_statistics')
        .set({ devices: sql<number>`devices - ${devices}` })
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', id)
        .where('status', '=', 'pending')
        .execute(),
  }),

  /** Aborted deployments that have devices which are still at it, of all tenants. */
  abortedUnended: (reader: Reader): Promise<{ tenant: string; id: string }[]> =>
    reader
      .selectFrom('deployment_statistics as counted')
      .innerJoin('deployments', (join) =>
        join
          .onRef('deployments.tenant', '=', 'counted.tenant')
          .onRef('deployments.id', '=', 'counted.deployment_id'),
      )
      .where('counted.status', 'in', allStatuses.filter(statusIsActive))
      .where('counted.devices', '>', 0)
      .where('deployments.aborted', 'is not', null)
      .select(['deployments.tenant', 'deployments.id'])
      .distinct()
      .execute(),
};
