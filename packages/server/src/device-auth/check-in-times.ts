import type { Tenant } from '../actor.ts';
import type { Database } from '../database/open-database.ts';
import type { Transaction } from '../database/tables.ts';
import { deviceStore } from './device-store.ts';

export interface CheckInTimes {
  /** The device has just spoken to us. Costs nothing but memory. */
  readonly note: (tenant: Tenant, deviceId: string, time: number) => void;
  /** The last time not yet stored, if any. */
  readonly pending: (tenant: Tenant, deviceId: string) => number | undefined;
  /** Stores what has gathered, in one unit of work. Times that cannot be stored are kept for the next time. */
  readonly flush: () => Promise<void>;
}

type OnCheckIn = (tx: Transaction, tenant: Tenant, deviceId: string, time: number) => Promise<void>;

/**
 * When devices were last heard of. A poll must not cost a write, so times gather in memory and are stored together; a crash loses
 * the last half minute of them, and nothing rests on those.
 */
export function checkInTimes(database: Database, onCheckIn: OnCheckIn): CheckInTimes {
  const waiting = new Map<string, { tenant: Tenant; deviceId: string; time: number }>();
  const key = (tenant: Tenant, deviceId: string) => `${tenant}/${deviceId}`;
  return {
    note: (tenant, deviceId, time) => void waiting.set(key(tenant, deviceId), { tenant, deviceId, time }),
    pending: (tenant, deviceId) => waiting.get(key(tenant, deviceId))?.time,
    flush: async () => {
      const taken = [...waiting.values()];
      if (taken.length === 0) return;
      await database.unitOfWork(async (tx) => {
        for (const { tenant, deviceId, time } of taken) {
          await deviceStore.forTenant(tenant).setCheckInTime(tx, deviceId, time);
          await onCheckIn(tx, tenant, deviceId, time);
        }
      });
      for (const { tenant, deviceId, time } of taken) {
        if (waiting.get(key(tenant, deviceId))?.time === time) waiting.delete(key(tenant, deviceId));
      }
    },
  };
}
