import { setImmediate as othersTurn } from 'node:timers/promises';
import { sql, type RawBuilder } from 'kysely';
import type { Tenant } from '../actor.ts';
import type { Reader } from '../database/tables.ts';
import type { Log } from '../log.ts';
import { deploymentTargetStore } from './deployment-target-store.ts';
import { targetedDevices, type TargetedDevices } from './targeted-devices.ts';

/**
 * Which devices have nothing to do. Nearly every poll is answered from here, by what was read with its token: to look through all
 * deployments under way, and through the ids they are for, would cost a hundred times that.
 *
 * INVARIANTS
 * - Whom a deployment is for never changes, and a later one is always created later: what was looked at once needs no second look.
 * - Deployments that are not newer than what a device has ended are none for it. That bound only rises, except when its history is
 *   cleared; the device is then looked at anew each time, until it has ended another one.
 * - A deployment that becomes active again has been ended by all its devices before.
 */
export interface NothingToDo {
  /** What has to be looked at for this device; undefined when there is nothing, and it is at nothing. */
  readonly toLookAt: (
    reader: Reader,
    tenant: Tenant,
    deviceId: string,
    standing: Standing,
  ) => ToLookAt | undefined;
  /** None of what there was to look at is for the device. */
  readonly remember: (tenant: Tenant, deviceId: string, looked: ToLookAt) => void;
}

export interface ToLookAt {
  /** The device has begun a deployment and not ended it. */
  readonly isBusy: boolean;
  /** Deployments created after this one, in milliseconds; those up to it are none for the device. */
  readonly after: number;
  /** The newest deployment under way that was seen. */
  readonly newest: number;
  readonly mayRemember: boolean;
}

interface Known {
  readonly tenant: Tenant;
  readonly targeted: TargetedDevices;
  /** Deployments up to this one are in `targeted`. */
  upTo: number;
  isLoading: boolean;
  /** Devices that were looked at beyond that, by the newest deployment there was. */
  readonly looked: Map<string, number>;
}

/** So many devices are remembered one by one; one more, and the one that was first remembered is looked at anew. */
const maxLooked = 200_000;
/** So long it reads before others get their turn. Shorter, and slow polls would keep it from making them fast. */
const turnMs = 5;
const never = -1;
const historyCleared = -2;
const busy = -3;

export function nothingToDo(log: Log): NothingToDo {
  const byTenant = new Map<Tenant, Known>();
  let latest: Known | undefined;
  const knownOf = (tenant: Tenant): Known => {
    // Before the map is asked, which takes ten times as long for a text that has just come out of the database.
    if (latest?.tenant === tenant) return latest;
    latest = byTenant.get(tenant) ?? {
      tenant,
      targeted: targetedDevices(),
      upTo: never,
      isLoading: false,
      looked: new Map<string, number>(),
    };
    byTenant.set(tenant, latest);
    return latest;
  };
  return {
    toLookAt: (reader, tenant, deviceId, standing) => {
      const isBusy = standing.ended === busy;
      const ended = standing.ended ?? never;
      const newest = standing.newest ?? never;
      const known = knownOf(tenant);
      if (newest > known.upTo && !known.isLoading) void load(reader, known, newest, log);
      const mayRemember = !isBusy && ended !== historyCleared;
      const after = mayRemember ? lookedUpTo(known, deviceId, ended) : never;
      return isBusy || newest > after ? { isBusy, after, newest, mayRemember } : undefined;
    },
    remember: (tenant, deviceId, { newest, mayRemember }) => {
      if (!mayRemember) return;
      const { looked } = knownOf(tenant);
      looked.set(deviceId, newest);
      const oldest = looked.keys().next();
      if (looked.size > maxLooked && !oldest.done) looked.delete(oldest.value);
    },
  };
}

function lookedUpTo({ targeted, upTo, looked }: Known, deviceId: string, ended: number): number {
  const after = Math.max(ended, looked.size === 0 ? never : (looked.get(deviceId) ?? never));
  return targeted.newestFor(deviceId) > after ? after : Math.max(after, upTo);
}

/** Takes up whom the deployments since the last time are for. Nobody waits for it: until then devices are looked at one by one. */
async function load(reader: Reader, known: Known, newest: number, log: Log): Promise<void> {
  known.isLoading = true;
  let turnEnds = performance.now() + turnMs;
  try {
    const targets = deploymentTargetStore.forTenant(known.tenant);
    for (const { id, created } of await targets.activeSince(reader, known.upTo)) {
      for await (const chunk of targets.chunks(reader, id)) {
        known.targeted.add(chunk, created);
        if (performance.now() < turnEnds) continue;
        await othersTurn();
        turnEnds = performance.now() + turnMs;
      }
    }
    known.upTo = newest;
    // Nearly all of these are known by the others now; who is not is looked at once more.
    known.looked.clear();
  } catch (error) {
    log('error', 'whom deployments are for could not be read; polls are slower until it can', {
      cause: error instanceof Error ? error.message : String(error),
    });
  } finally {
    known.isLoading = false;
  }
}

/** How a device stands with deployments. */
export interface Standing {
  /** When the newest that it has ended was made, in milliseconds; -2 when its history was cleared after that, -3 while it is at one. */
  readonly ended: number | null;
  /** When the newest under way was made, whomever it is for. */
  readonly newest: number | null;
}

/** What to select for it, of a device that is named by columns or values; a part of the statement that reads a device's token. */
export function standingOf(
  reader: Reader,
  { tenant, deviceId }: { readonly tenant: RawBuilder<string>; readonly deviceId: RawBuilder<string> },
) {
  return [
    reader
      .selectFrom('device_deployments')
      .where('tenant', '=', tenant)
      .where('device_id', '=', deviceId)
      // One look-up for both: what it is at comes first, be it older than what it has ended or not.
      .orderBy('active', 'desc')
      .orderBy('deployment_created', 'desc')
      .limit(1)
      .select(
        sql<number>`CASE WHEN active = 1 THEN ${sql.lit(busy)} WHEN deleted IS NULL THEN deployment_created ELSE ${sql.lit(historyCleared)} END`.as(
          'ended',
        ),
      )
      .as('ended'),
    reader
      .selectFrom('deployments')
      .where('tenant', '=', tenant)
      // Not as a value: the index holds active deployments only, and the engine has to see that it fits.
      .where('active', '=', sql.lit(1))
      .select(({ fn }) => fn.max('created').as('newest'))
      .as('newest'),
  ] as const;
}
