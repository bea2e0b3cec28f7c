import { setTimeout as wait } from 'node:timers/promises';
import type { Tenant } from '../actor.ts';
import type { Database } from '../database/open-database.ts';
import type { Transaction } from '../database/tables.ts';
import { checkInStore } from './check-in-store.ts';

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

interface Noted {
  readonly tenant: Tenant;
  readonly deviceId: string;
  readonly time: number;
}

/** So many are put in their places together: each by itself would cost its poll several times that. */
const maxNoted = 1000;
/** So many a unit of work: a fleet that came all at once must not hold up those that come meanwhile. */
const devicesPerUnit = 200;
/** After each unit others have their turn for twice as long as it took, but no longer than this. */
const pausePerWork = 2;
const longestPauseMs = 50;
/** The inventory has them for searches, to the day (server contract 2.3): each is a row and an entry of an index to write anew. */
const tellAfterMs = 24 * 60 * 60 * 1000;

/**
 * When devices were last heard of. A poll must not cost a write, so times gather in memory and are stored together; a crash loses
 * the last minute of them, and nothing rests on those.
 */
export function checkInTimes(
  database: Database,
  onCheckIns: OnCheckIns,
  pause: (milliseconds: number) => Promise<unknown> = wait,
): CheckInTimes {
  let isHurried = false;
  let waiting = new Map<Tenant, Map<string, number>>();
  let storing: ReadonlyMap<Tenant, ReadonlyMap<string, number>> = new Map();
  const ofTenant = (tenant: Tenant): Map<string, number> => {
    const times = waiting.get(tenant) ?? new Map<string, number>();
    waiting.set(tenant, times);
    return times;
  };
  let noted: Noted[] = [];
  const gather = (): void => {
    for (const { tenant, deviceId, time } of noted) ofTenant(tenant).set(deviceId, time);
    noted = [];
  };
  const store = async (tenant: Tenant, times: ReadonlyMap<string, number>): Promise<void> => {
    // In the order of the rows: neighbours share a page.
    const ids = [...times.keys()].sort();
    for (let start = 0; start < ids.length; start += devicesPerUnit) {
      const some = ids.slice(start, start + devicesPerUnit).map((id) => [id, times.get(id) ?? 0] as const);
      const began = performance.now();
      await database.unitOfWork(async (tx) => {
        const due = new Set(await checkInStore.forTenant(tenant).put(tx, some, tellAfterMs));
        if (due.size > 0)
          await onCheckIns(tx, tenant, Object.fromEntries(some.filter(([id]) => due.has(id))));
      });
      if (!isHurried && start + devicesPerUnit < ids.length)
        await pause(Math.min(longestPauseMs, pausePerWork * (performance.now() - began)));
    }
  };
  return {
    note: (tenant, deviceId, time) => {
      noted.push({ tenant, deviceId, time });
      if (noted.length >= maxNoted) gather();
    },
    pending: (tenant, deviceId) => {
      gather();
      return waiting.get(tenant)?.get(deviceId) ?? storing.get(tenant)?.get(deviceId);
    },
    hurry: () => {
      isHurried = true;
    },
    flush: async () => {
      gather();
      // What comes while we store waits for the next time.
      storing = waiting;
      waiting = new Map();
      try {
        for (const [tenant, times] of storing) await store(tenant, times);
      } catch (error) {
        for (const [tenant, times] of storing) waiting.set(tenant, new Map([...times, ...ofTenant(tenant)]));
        throw error;
      } finally {
        storing = new Map();
      }
    },
  };
}
