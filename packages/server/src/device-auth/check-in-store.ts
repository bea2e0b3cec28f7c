import { sql } from 'kysely';
import type { Tenant } from '../actor.ts';
import { engineOf, entriesOf } from '../database/sql-differences.ts';
import type { Reader, Transaction } from '../database/tables.ts';

/** The SQL of when devices were last heard of, in milliseconds, always of one tenant. */
export const checkInStore = {
  forTenant: (tenant: Tenant) => ({
    /** Of those of the devices that were heard of, by id. */
    times: async (db: Reader, deviceIds: readonly string[]): Promise<ReadonlyMap<string, number>> => {
      const rows = await db
        .selectFrom('device_check_ins')
        .select(['device_id', 'time'])
        .where('tenant', '=', tenant)
        .where('device_id', 'in', deviceIds)
        .execute();
      return new Map(rows.map(({ device_id: id, time }) => [id, time]));
    },

    /**
     * Stores the times of many devices at once. Ids that are no device's are passed over. Resolves with the ids of those whose
     * inventory has to be told: it was not yet, or `tellAfterMs` before.
     */
    put: async (
      tx: Transaction,
      times: readonly (readonly [id: string, time: number])[],
      tellAfterMs: number,
    ): Promise<string[]> => {
      const { rows } = await sql<{ id: string | null }>`
        INSERT INTO device_check_ins (tenant, device_id, time, told)
        SELECT devices.tenant, devices.id, came.value, came.value
        FROM ${entriesOf(engineOf(tx), times, 'came')} JOIN devices ON devices.id = came.key
        WHERE devices.tenant = ${tenant}
        ON CONFLICT (tenant, device_id) DO UPDATE SET
          time = excluded.time,
          told = CASE
            WHEN excluded.time - device_check_ins.told < ${tellAfterMs} THEN device_check_ins.told
            ELSE excluded.time
          END
        RETURNING CASE WHEN told = time THEN device_id END AS id
      `.execute(tx);
      return rows.flatMap(({ id }) => id ?? []);
    },
  }),
};
