import { randomUUID } from 'node:crypto';
import type { Page } from '@tandem/api';
import { systemActor, type Actor, type Tenant } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { beyondScope } from '../visibility.ts';
import type { Claims, IssuedToken } from '../tokens/json-web-token.ts';
import { checkInStore } from './check-in-store.ts';
import { deviceStore, type AuthSetRow, type DeviceFilter, type DeviceRow } from './device-store.ts';
import { deviceStatus, transitions, type DeviceStatus, type Target } from './device-status.ts';
import type { IdentityData } from './identity-data.ts';

/** What this domain tells and asks of others; each runs in the same unit of work. */
export interface DeviceAuthNeeds {
  /** A device was seen for the first time. */
  readonly onNewDevice: (
    tx: Transaction,
    actor: Actor,
    deviceId: string,
    identity: IdentityData,
  ) => Promise<void>;
  readonly onStatus: (tx: Transaction, actor: Actor, deviceId: string, status: DeviceStatus) => Promise<void>;
  /** The device is gone; whoever keeps something about it lets go of it. */
  readonly onDecommission: readonly ((tx: Transaction, actor: Actor, deviceId: string) => Promise<void>)[];
  readonly signToken: (claims: Claims) => IssuedToken;
}

export interface DeviceWithSets {
  readonly device: DeviceRow;
  readonly sets: readonly AuthSetRow[];
  /** When it was last heard of, in milliseconds, as far as that is stored. */
  readonly checkIn: number | undefined;
}

export type Authentication =
  { readonly token: string; readonly deviceId: string } | 'unauthorized' | 'limitReached';

export type DeviceAuth = ReturnType<typeof createDeviceAuth>;

const tokenLifetimeSeconds = 604_800;
export const unlimited = -1;
const maxDevices = 'max_devices';

/** The rules of server contract 2: who a device is, and whether it may speak. */
export function createDeviceAuth(database: Database, clock: Clock, needs: DeviceAuthNeeds) {
  const setStatus = async (tx: Transaction, actor: Actor, device: DeviceRow): Promise<DeviceStatus> => {
    const store = deviceStore.forTenant(actor.tenant);
    const sets = await store.authSets(tx, [device.id]);
    const status = deviceStatus(sets.map((set) => set.status));
    if (status !== device.status) {
      const now = clock();
      await store.setDeviceStatus(tx, device.id, status, now);
      await needs.onStatus(tx, actor, device.id, status);
      await recordChange(tx, actor, { kind: `device.${status}`, ref: device.id, time: now });
    }
    return status;
  };

  /** Whether one more device may be accepted; one that already is does not count again. */
  const isRoomFor = async (tx: Transaction, tenant: Tenant, device: DeviceRow): Promise<boolean> => {
    if (device.status === 'accepted') return true;
    const store = deviceStore.forTenant(tenant);
    const limit = (await store.limit(tx, maxDevices)) ?? unlimited;
    return limit === unlimited || (await store.countAccepted(tx)) + 1 <= limit;
  };

  const accept = async (tx: Transaction, actor: Actor, device: DeviceRow, set: AuthSetRow): Promise<void> => {
    const store = deviceStore.forTenant(actor.tenant);
    for (const other of await store.authSets(tx, [device.id])) {
      if (other.status === 'accepted') await leaveAccepted(tx, actor.tenant, other, 'rejected');
    }
    await store.setAuthSetStatus(tx, set.id, 'accepted');
    await setStatus(tx, actor, device);
  };

  const newDevice = async (tx: Transaction, actor: Actor, identity: IdentityData): Promise<DeviceRow> => {
    const now = clock();
    const row: Omit<DeviceRow, 'tenant'> = {
      id: randomUUID(),
      id_data: identity.text,
      id_data_hash: identity.hash,
      status: 'noauth',
      decommissioning: 0,
      created: now,
      updated: now,
    };
    await deviceStore.forTenant(actor.tenant).insertDevice(tx, row);
    await needs.onNewDevice(tx, actor, row.id, identity);
    return { ...row, tenant: actor.tenant };
  };

  const newAuthSet = async (
    tx: Transaction,
    device: DeviceRow,
    pubkey: string,
    status: 'pending' | 'preauthorized',
  ): Promise<AuthSetRow> => {
    const { tenant, id: device_id, id_data, id_data_hash } = device;
    const row = {
      tenant,
      id: randomUUID(),
      device_id,
      id_data,
      id_data_hash,
      pubkey,
      status,
      created: clock(),
    };
    await deviceStore.forTenant(tenant).insertAuthSet(tx, row);
    return row;
  };

  const issueToken = async (tx: Transaction, device: DeviceRow, set: AuthSetRow): Promise<Authentication> => {
    const now = Math.floor(clock() / 1000);
    const exp = now + tokenLifetimeSeconds;
    const { token, digest, signedBy } = needs.signToken({
      jti: set.id,
      sub: device.id,
      iss: 'Mender',
      iat: now,
      nbf: now,
      exp,
      'mender.tenant': device.tenant,
      'mender.device': true,
      'mender.plan': 'enterprise',
      'mender.addons': addons,
      'mender.trial': false,
    });
    const expires = exp * 1000;
    await deviceStore.forTenant(device.tenant).putToken(tx, {
      id: set.id,
      device_id: device.id,
      expires,
      digest,
      digest_expires: expires,
      signed_by: signedBy,
    });
    return { token, deviceId: device.id };
  };

  return {
    /**
     * A device whose signature was verified asks for a token. Everything it leaves behind (device, pending auth set) is stored
     * also when the answer is no: a user has to find it.
     */
    authenticate: (tenant: Tenant, identity: IdentityData, pubkey: string): Promise<Authentication> =>
      database.unitOfWork(async (tx) => {
        const store = deviceStore.forTenant(tenant);
        const actor = systemActor(tenant, 'device-auth');
        const known = await store.deviceByIdentity(tx, identity.hash);
        if (known?.decommissioning === 1) return 'unauthorized';
        const set = await store.authSetByKey(tx, identity.hash, pubkey);
        if (known !== undefined && set?.status === 'preauthorized' && known.status !== 'accepted') {
          if (!(await isRoomFor(tx, tenant, known))) return 'limitReached';
          await accept(tx, actor, known, set);
          return issueToken(tx, known, set);
        }
        const device = known ?? (await newDevice(tx, actor, identity));
        const current = set ?? (await newAuthSet(tx, device, pubkey, 'pending'));
        await setStatus(tx, actor, device);
        return current.status === 'accepted' ? issueToken(tx, device, current) : 'unauthorized';
      }),

    list: async (
      actor: Actor,
      filter: DeviceFilter,
      page: Page,
      signal: AbortSignal,
    ): Promise<DeviceWithSets[]> => {
      const reader = database.searchFor(signal);
      const found = await deviceStore.seenBy(actor).devices(reader, filter, page);
      return allWithSets(reader, actor.tenant, found);
    },

    count: (actor: Actor, filter: DeviceFilter, signal: AbortSignal): Promise<number> =>
      deviceStore.seenBy(actor).countDevices(database.searchFor(signal), filter),

    get: async (actor: Actor, id: string): Promise<DeviceWithSets | undefined> => {
      const device = await deviceStore.seenBy(actor).device(database.read, id);
      return device && withSets(database.read, device);
    },

    authSetStatus: async (actor: Actor, setId: string): Promise<string | undefined> =>
      (await seenSet(database.read, actor, setId))?.status,

    /** Accept, reject or reset. Throws `notFound`, `badRequest` (transition, or not that device's), `unprocessable` (limit). */
    setAuthSetStatus: (actor: Actor, deviceId: string, setId: string, target: Target): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const store = deviceStore.forTenant(actor.tenant);
        const set = await seenSet(tx, actor, setId);
        if (set === undefined) throw new ServerError('notFound', 'authorization set not found');
        if (set.device_id !== deviceId)
          throw new ServerError('badRequest', 'dev auth: dev ID and auth ID mismatch');
        const device = await store.device(tx, deviceId);
        if (device === undefined) throw new ServerError('notFound', 'device not found');
        switch (transitions[target][set.status]) {
          case 'nothing':
            return;
          case 'refuse':
            throw new ServerError('badRequest', 'dev auth: bad request');
          case 'change':
        }
        if (target === 'accepted') {
          if (!(await isRoomFor(tx, actor.tenant, device))) {
            throw new ServerError('unprocessable', 'maximum number of accepted devices reached');
          }
          await accept(tx, actor, device, set);
        } else {
          await (set.status === 'accepted'
            ? leaveAccepted(tx, actor.tenant, set, target)
            : store.setAuthSetStatus(tx, set.id, target));
          await setStatus(tx, actor, device);
        }
        await recordChange(tx, actor, { kind: `auth-set.${target}`, ref: set.id, time: clock() });
      }),

    /**
     * Accepts a device before it comes. Throws `forbidden` for whoever has a scope: the device is in no group yet. Resolves with the device that has this identity already, unless `force` adds the key to
     * it; otherwise with the new device's id.
     */
    preauthorize: (
      actor: Actor,
      identity: IdentityData,
      pubkey: string,
      force: boolean,
    ): Promise<{ created: string } | { existing: DeviceWithSets }> =>
      database.unitOfWork(async (tx) => {
        if (actor.scope.groups !== 'all') throw beyondScope();
        const store = deviceStore.forTenant(actor.tenant);
        const known = await store.deviceByIdentity(tx, identity.hash);
        if (known !== undefined && !force) {
          return { existing: await withSets(tx, known) };
        }
        const device = known ?? (await newDevice(tx, actor, identity));
        const set = await store.authSetByKey(tx, identity.hash, pubkey);
        if (set === undefined) await newAuthSet(tx, device, pubkey, 'preauthorized');
        else if (set.status !== 'accepted') await store.setAuthSetStatus(tx, set.id, 'preauthorized');
        await setStatus(tx, actor, device);
        await recordChange(tx, actor, { kind: 'device.preauthorize', ref: device.id, time: clock() });
        return { created: device.id };
      }),

    /** Forgets a device everywhere, at once and as a whole. False when there is none. */
    decommission: (actor: Actor, id: string): Promise<boolean> =>
      database.unitOfWork(async (tx) => {
        const store = deviceStore.forTenant(actor.tenant);
        if ((await deviceStore.seenBy(actor).device(tx, id)) === undefined) return false;
        for (const forget of needs.onDecommission) await forget(tx, actor, id);
        await store.deleteDevice(tx, id);
        await recordChange(tx, actor, { kind: 'device.decommission', ref: id, time: clock() });
        return true;
      }),

    /** Removes one auth set; a device that was only announced goes with its last. False when there is no such set. */
    dismiss: (actor: Actor, deviceId: string, setId: string): Promise<boolean> =>
      database.unitOfWork(async (tx) => {
        const store = deviceStore.forTenant(actor.tenant);
        const device = await deviceStore.seenBy(actor).device(tx, deviceId);
        const set = await store.authSet(tx, setId);
        if (device === undefined || set?.device_id !== deviceId) return false;
        await store.deleteAuthSet(tx, setId);
        const isLast = (await store.authSets(tx, [deviceId])).length === 0;
        if (isLast && set.status === 'preauthorized') {
          for (const forget of needs.onDecommission) await forget(tx, actor, deviceId);
          await store.deleteDevice(tx, deviceId);
        } else {
          await setStatus(tx, actor, device);
        }
        await recordChange(tx, actor, { kind: 'auth-set.dismiss', ref: setId, time: clock() });
        return true;
      }),

    revokeToken: (actor: Actor, id: string): Promise<boolean> =>
      database.unitOfWork(async (tx) => {
        // A token has the id of the auth set it was given for.
        if ((await seenSet(tx, actor, id)) === undefined) return false;
        const wasThere = await deviceStore.forTenant(actor.tenant).deleteToken(tx, id);
        if (wasThere) await recordChange(tx, actor, { kind: 'device-token.revoke', ref: id, time: clock() });
        return wasThere;
      }),

    limit: async ({ tenant }: Actor): Promise<number> =>
      (await deviceStore.forTenant(tenant).limit(database.read, maxDevices)) ?? unlimited,

    setLimit: (actor: Actor, value: number): Promise<void> =>
      database.unitOfWork(async (tx) => {
        await deviceStore.forTenant(actor.tenant).setLimit(tx, maxDevices, value);
        await recordChange(tx, actor, { kind: 'device-limit.set', ref: maxDevices, time: clock() });
      }),
  };
}

const addons = ['configure', 'troubleshoot', 'monitor'].map((name) => ({ name, enabled: true }));

/** Whoever is no longer accepted loses its token in the same moment. */
async function leaveAccepted(tx: Transaction, tenant: Tenant, set: AuthSetRow, to: 'rejected' | 'pending') {
  const store = deviceStore.forTenant(tenant);
  await store.setAuthSetStatus(tx, set.id, to);
  await store.deleteTokensOf(tx, set.device_id);
}

const seenSet = async (db: Reader, actor: Actor, id: string): Promise<AuthSetRow | undefined> =>
  (await deviceStore.seenBy(actor).authSets(db, [id]))[0];

async function allWithSets(
  db: Reader,
  tenant: Tenant,
  devices: readonly DeviceRow[],
): Promise<DeviceWithSets[]> {
  const ids = devices.map(({ id }) => id);
  if (ids.length === 0) return [];
  const sets = await deviceStore.forTenant(tenant).authSets(db, ids);
  const checkIns = await checkInStore.forTenant(tenant).times(db, ids);
  const byDevice = Map.groupBy(sets, (set) => set.device_id);
  return devices.map((device) => ({
    device,
    sets: byDevice.get(device.id) ?? [],
    checkIn: checkIns.get(device.id),
  }));
}

async function withSets(db: Reader, device: DeviceRow): Promise<DeviceWithSets> {
  const { tenant, id } = device;
  const checkIns = await checkInStore.forTenant(tenant).times(db, [id]);
  return { device, sets: await deviceStore.forTenant(tenant).authSets(db, [id]), checkIn: checkIns.get(id) };
}

/** Ids of accepted devices, sorted, a page of them: what other domains need to know. */
export const acceptedDevices = (
  db: Reader,
  actor: Actor,
  page: { readonly after: string; readonly limit: number },
): Promise<string[]> => deviceStore.seenBy(actor).acceptedDevices(db, page);
