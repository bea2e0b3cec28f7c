import type { Configuration } from '@tandem/api';
import type { Selectable } from 'kysely';
import type { Reader, Tables, Transaction } from '../database/tables.ts';

/** Instants in milliseconds since 1970. */
export interface StoredConfiguration {
  readonly configured: Configuration;
  readonly reported: Configuration;
  readonly deploymentId: string | null;
  readonly updated: number;
  readonly reportedAt: number | null;
}

/** SQL on the configurations of one tenant's devices. */
export const deviceConfigurationStore = {
  forTenant: (tenant: string) => ({
    get: async (reader: Reader, deviceId: string): Promise<StoredConfiguration | undefined> => {
      const row = await reader
        .selectFrom('device_configurations')
        .where('tenant', '=', tenant)
        .where('device_id', '=', deviceId)
        .selectAll()
        .executeTakeFirst();
      return row && stored(row);
    },

    /** Makes an empty one, unless there is one. */
    insert: (tx: Transaction, deviceId: string, now: number) =>
      tx
        .insertInto('device_configurations')
        .values({ ...emptyRow, tenant, device_id: deviceId, updated: now })
        .onConflict((conflict) => conflict.columns(['tenant', 'device_id']).doNothing())
        .execute(),

    setConfigured: (tx: Transaction, deviceId: string, configuration: Configuration, now: number) => {
      const changes = { configured: JSON.stringify(configuration), updated: now };
      return tx
        .insertInto('device_configurations')
        .values({ ...emptyRow, ...changes, tenant, device_id: deviceId })
        .onConflict((conflict) => conflict.columns(['tenant', 'device_id']).doUpdateSet(changes))
        .execute();
    },

    setReported: (tx: Transaction, deviceId: string, configuration: Configuration, now: number) => {
      const changes = { reported: JSON.stringify(configuration), reported_at: now };
      return tx
        .insertInto('device_configurations')
        .values({ ...emptyRow, ...changes, tenant, device_id: deviceId, updated: now })
        .onConflict((conflict) => conflict.columns(['tenant', 'device_id']).doUpdateSet(changes))
        .execute();
    },

    setDeployment: (tx: Transaction, deviceId: string, deploymentId: string) =>
      tx
        .updateTable('device_configurations')
        .set({ deployment_id: deploymentId })
        .where('tenant', '=', tenant)
        .where('device_id', '=', deviceId)
        .execute(),

    delete: (tx: Transaction, deviceId: string) =>
      tx
        .deleteFrom('device_configurations')
        .where('tenant', '=', tenant)
        .where('device_id', '=', deviceId)
        .execute(),
  }),
};

const emptyRow = { configured: '{}', reported: '{}', deployment_id: null, reported_at: null } as const;

const stored = (row: Selectable<Tables['device_configurations']>): StoredConfiguration => ({
  // Both were written by this store alone.
  configured: JSON.parse(row.configured) as Configuration,
  reported: JSON.parse(row.reported) as Configuration,
  deploymentId: row.deployment_id,
  updated: row.updated,
  reportedAt: row.reported_at,
});
