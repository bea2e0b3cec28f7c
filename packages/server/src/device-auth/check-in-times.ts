import { setTimeout as wait } from 'node:timers/promises';
import type { Tenant } from '../actor.ts';
import type { Database } from '../database/open-database.ts';
import type { Transaction } from '../database/tables.ts';
import { deviceStore } from './device-store.ts';

export interface CheckInTimes {
  /** The device has just spoken to us. Costs nothing but memory. */
  readonly note: (tenant: Tenant, deviceId: string, time: number) => void;
  /** The last time not yet stored, if any. */
  readonly pending: (tenant: Tenant, deviceId: string) => number | undefined;
  /** Stores what has gathered. Times that cannot be stored are kept for the next time. */
  readonly flush: () => Promise<void>;
  /** From now on nobody is left a turn, also by a flush under way: the server stops, and waits for it. */
  readonly hurry: () => void;
}

/** Told of a device's time, in milliseconds, once a day. */
type OnCheckIns = (tx: Transaction, tenant: Tenant, times: Readonly<Record<string, number>>) => Promise<void>;

/** So many a unit of work: a fleet that came all at once must not hold up those that come meanwhile. */
const devicesPerUnit = 100;
/** After each unit others have their turn for twice as long as it took, but no longer than this. */
const pausePerWork = 2;
const longestPauseMs = 50;
/** The inventory has them for searches, to the day (server contract 2.3): each is a row and an entry of an index to write anew. */
const tellAfterMs = 24 * 60 * 60 * 1000;

/**
 * When devices were last heard of. A poll must not cost a write, so times gather in memory and are stored together; a crash loses
 * the last half minute of them, and nothing rests on those.
 */
export function checkInTimes(
  database: Database,
  onCheckIns: OnCheckIns,
  pause: (milliseconds: number) => Promise<unknown> = wait,
): CheckInTimes {
  let isHurried = false;
  const waiting = new Map<Tenant, Map<string, number>>();
  const ofTenant = (tenant: Tenant): Map<string, number> => {
    const times = waiting.get(tenant) ?? new Map<string, number>();
    waiting.set(tenant, times);
    return times;
  };
  return {
    note: (tenant, deviceId, time) => void ofTenant(tenant).set(deviceId, time),
    pending: (tenant, deviceId) => waiting.get(tenant)?.get(deviceId),
    hurry: () => {
      isHurried = true;
    },
    flush: async () => {
      for (const [tenant, times] of waiting) {
        // As far as it is now: what comes while we store waits for the next time.
        const taken = [...times];
        for (let start = 0; start < taken.length; start += devicesPerUnit) {
          const some = taken.slice(start, start + devicesPerUnit);
          const began = performance.now();
          await database.unitOfWork(async (tx) => {
            const these = Object.fromEntries(some);
            const due = await deviceStore.forTenant(tenant).setCheckInTimes(tx, these, tellAfterMs);
            if (due.length > 0)
              await onCheckIns(tx, tenant, Object.fromEntries(some.filter(([id]) => due.includes(id))));
          });
          for (const [deviceId, time] of some) if (times.get(deviceId) === time) times.delete(deviceId);
          if (!isHurried && start + devicesPerUnit < taken.length)
            await pause(Math.min(longestPauseMs, pausePerWork * (performance.now() - began)));
        }
      }
    },
  };
}
