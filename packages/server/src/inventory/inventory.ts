import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { AttributeValue, NewAttribute, Page, SearchBody } from '@tandem/api';
import { unbounded, type Actor, type Tenant } from '../actor.ts';
import { rfc3339, type Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { seesDevice } from '../visibility.ts';
import type { StoredAttribute } from './attribute-rows.ts';
import { readScope, type Term } from './filter-query.ts';
import { inventoryStore, type InventoryEntry, type InventorySort } from './inventory-store.ts';
import { conditionsOf, findDevices, looseEquality, search, type Found } from './search-inventory.ts';

export interface ListFilter {
  /** `[scope/]attribute` and the value as the query has it. */
  readonly attributes: readonly (readonly [string, string])[];
  readonly group: string | undefined;
  readonly hasGroup: boolean | undefined;
}

export interface Counts {
  readonly matched: number;
  readonly updated: number;
}

export type Inventory = ReturnType<typeof createInventory>;

const limits = { inventory: 100, tags: 20 } as const;
const millisecondsPerDay = 86_400_000;

/** The rules of server contract 3: what devices report, and what people add to it. */
export function createInventory(database: Database, clock: Clock) {
  /** Runs `change` on a device there is, or throws `notFound`. */
  const known = async (tx: Transaction, actor: Actor, id: string): Promise<{ tags_etag: string | null }> => {
    const device = await inventoryStore.forTenant(actor.tenant).device(tx, id);
    if (device === undefined || !(await seesDevice(tx, actor, id)))
      throw new ServerError('notFound', 'Device not found');
    return device;
  };

  const setGroup = async (
    tx: Transaction,
    actor: Actor,
    ids: readonly string[],
    group: string,
  ): Promise<Counts> => {
    const store = inventoryStore.forTenant(actor.tenant);
    const counts = { matched: 0, updated: 0 };
    for (const id of new Set(ids)) {
      if ((await store.device(tx, id)) === undefined || !(await seesDevice(tx, actor, id))) continue;
      counts.matched += 1;
      if ((await groupOf(tx, actor.tenant, id)) === group) continue;
      await store.putAttribute(tx, id, { scope: 'system', name: 'group', value: group });
      await store.noteTexts(tx, id);
      await recordChange(tx, actor, { kind: 'group.add-device', ref: id, time: clock() });
      counts.updated += 1;
    }
    return counts;
  };

  const leaveGroup = async (
    tx: Transaction,
    actor: Actor,
    ids: readonly string[],
    group: string,
  ): Promise<Counts> => {
    const store = inventoryStore.forTenant(actor.tenant);
    let left = 0;
    for (const id of new Set(ids)) {
      if ((await groupOf(tx, actor.tenant, id)) !== group || !(await seesDevice(tx, actor, id))) continue;
      await store.deleteAttribute(tx, id, 'system', 'group');
      await store.noteTexts(tx, id);
      await recordChange(tx, actor, { kind: 'group.remove-device', ref: id, time: clock() });
      left += 1;
    }
    return { matched: left, updated: left };
  };

  return {
    /** What a device says of itself; `replace` removes what is not named. Throws `badRequest` above the limit. */
    report: (tenant: Tenant, deviceId: string, given: readonly NewAttribute[], mode: 'replace' | 'update') =>
      database.unitOfWork(async (tx) => {
        const store = inventoryStore.forTenant(tenant);
        const now = clock();
        if (await store.addDevice(tx, deviceId)) await markCreated(tx, tenant, deviceId, now);
        const changed = await writeScope(tx, tenant, deviceId, 'inventory', given, mode);
        const last = (await store.value(tx, deviceId, 'system', 'updated_ts'))?.text_value;
        // At most one write a day from a device that has nothing new to say.
        if (!changed && last !== null && last !== undefined && isSameDay(Date.parse(last), now)) return;
        await store.putAttribute(tx, deviceId, { scope: 'system', name: 'updated_ts', value: rfc3339(now) });
        await store.noteTexts(tx, deviceId);
        // What says nothing new is no change: whoever looks at the fleet has it on the screen.
        if (!changed) return;
        const device: Actor = { tenant, subject: { kind: 'device', id: deviceId }, scope: unbounded };
        await recordChange(tx, device, { kind: 'inventory.reported', ref: deviceId, time: now });
      }),

    list: async (
      actor: Actor,
      { attributes, group, hasGroup }: ListFilter,
      sort: readonly InventorySort[],
      page: Page,
      signal: AbortSignal,
    ): Promise<Found> => {
      const reader = database.searchFor(signal);
      const terms: Term[] = [];
      if (group !== undefined)
        terms.push({ scope: 'system', attribute: 'group', operator: '$eq', value: group });
      if (hasGroup !== undefined) {
        terms.push({ scope: 'system', attribute: 'group', operator: '$exists', value: hasGroup });
      }
      const conditions = conditionsOf(reader, actor, terms);
      for (const [key, value] of attributes) conditions.push(looseEquality(reader, actor.tenant, key, value));
      return findDevices(reader, actor.tenant, conditions, sort, page);
    },

    search: (actor: Actor, body: SearchBody, page: Page, signal: AbortSignal): Promise<Found> =>
      search(database.searchFor(signal), actor, body, page),

    get: async (
      actor: Actor,
      id: string,
    ): Promise<(InventoryEntry & { etag: string | null }) | undefined> => {
      const store = inventoryStore.forTenant(actor.tenant);
      const device = await store.device(database.read, id);
      if (device === undefined || !(await seesDevice(database.read, actor, id))) return undefined;
      const attributes = await store.attributes(database.read, [id]);
      return { id, attributes: attributes.get(id) ?? [], etag: device.tags_etag };
    },

    /** Removes what the device reported; whether it is known or not makes no difference. */
    clear: (actor: Actor, id: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const store = inventoryStore.forTenant(actor.tenant);
        if ((await store.device(tx, id)) === undefined || !(await seesDevice(tx, actor, id))) return;
        for (const { name } of await store.scope(tx, id, 'inventory')) {
          await store.deleteAttribute(tx, id, 'inventory', name);
        }
        await store.noteTexts(tx, id);
        await store.putAttribute(tx, id, { scope: 'system', name: 'updated_ts', value: rfc3339(clock()) });
        await recordChange(tx, actor, { kind: 'inventory.clear', ref: id, time: clock() });
      }),

    /** Throws `preconditionFailed` when `ifMatch` is given and the tags have changed since; unknown devices stay unknown. */
    setTags: (
      actor: Actor,
      id: string,
      given: readonly NewAttribute[],
      mode: 'replace' | 'update',
      ifMatch: string | undefined,
    ): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const store = inventoryStore.forTenant(actor.tenant);
        const device = (await seesDevice(tx, actor, id)) ? await store.device(tx, id) : undefined;
        if (ifMatch !== undefined && device?.tags_etag !== ifMatch) {
          throw new ServerError('preconditionFailed', 'ETag does not match');
        }
        if (device === undefined) return;
        await writeScope(tx, actor.tenant, id, 'tags', given, mode, clock());
        await store.noteTexts(tx, id);
        await store.setTagsEtag(tx, id, randomUUID());
        await recordChange(tx, actor, { kind: `inventory.${mode}-tags`, ref: id, time: clock() });
      }),

    /** Undefined for a device that is not there, null for one without a group. */
    group: async (actor: Actor, id: string): Promise<string | null | undefined> => {
      const device = await inventoryStore.forTenant(actor.tenant).device(database.read, id);
      if (device === undefined || !(await seesDevice(database.read, actor, id))) return undefined;
      return groupOf(database.read, actor.tenant, id);
    },

    setGroup: (actor: Actor, id: string, group: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        assertGroupName(group);
        await known(tx, actor, id);
        await setGroup(tx, actor, [id], group);
      }),

    addToGroup: (actor: Actor, ids: readonly string[], group: string): Promise<Counts> =>
      database.unitOfWork(async (tx) => {
        assertGroupName(group);
        assertSomeDevices(ids);
        return setGroup(tx, actor, ids, group);
      }),

    removeFromGroup: (actor: Actor, ids: readonly string[], group: string): Promise<Counts> =>
      database.unitOfWork(async (tx) => {
        assertSomeDevices(ids);
        return leaveGroup(tx, actor, ids, group);
      }),

    /** Throws `notFound` unless the device is in that group. */
    leaveGroup: (actor: Actor, id: string, group: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const { matched } = await leaveGroup(tx, actor, [id], group);
        if (matched === 0) throw new ServerError('notFound', 'Device not found');
      }),

    dissolveGroup: (actor: Actor, group: string): Promise<Counts> =>
      database.unitOfWork(async (tx) => {
        const store = inventoryStore.forTenant(actor.tenant);
        const ids = await store.ids(tx, conditionsOf(tx, actor, [inGroup(group)]));
        return leaveGroup(tx, actor, ids, group);
      }),

    groups: async (actor: Actor, status: string | undefined, signal: AbortSignal): Promise<string[]> => {
      const reader = database.searchFor(signal);
      const terms: Term[] =
        status === undefined || status === ''
          ? []
          : [{ scope: 'identity', attribute: 'status', operator: '$eq', value: status }];
      const conditions = conditionsOf(reader, actor, terms);
      return inventoryStore.forTenant(actor.tenant).groups(reader, conditions);
    },

    /** Throws `notFound` for a group without devices: it is nowhere written down but in them. */
    groupDevices: async (
      actor: Actor,
      group: string,
      page: Page,
      signal: AbortSignal,
    ): Promise<{ ids: string[]; total: number }> => {
      const store = inventoryStore.forTenant(actor.tenant);
      const reader = database.searchFor(signal);
      const conditions = conditionsOf(reader, actor, [inGroup(group)]);
      const found = await store.findAndCount(reader, conditions, [], page);
      if (found.total === 0) throw new ServerError('notFound', 'group not found');
      return found;
    },

    filterAttributes: (actor: Actor, signal: AbortSignal) => {
      const reader = database.searchFor(signal);
      return inventoryStore
        .forTenant(actor.tenant)
        .attributeCounts(reader, conditionsOf(reader, actor, []), 5000, 500);
    },

    statusCounts: (actor: Actor, signal: AbortSignal) => {
      const reader = database.searchFor(signal);
      return inventoryStore.forTenant(actor.tenant).statusCounts(reader, conditionsOf(reader, actor, []));
    },

    /** Of accepted devices; throws `badRequest` for a scope that is none. */
    valueCounts: (actor: Actor, scope: string, name: string, signal: AbortSignal) => {
      const reader = database.searchFor(signal);
      const counted = { scope: readScope(scope), name };
      return inventoryStore
        .forTenant(actor.tenant)
        .valueCounts(reader, conditionsOf(reader, actor, [isAccepted]), counted, 100);
    },

    // What device authentication tells us; each in its unit of work.

    setIdentity: async (
      tx: Transaction,
      { tenant }: Actor,
      deviceId: string,
      identity: Readonly<Record<string, unknown>>,
    ): Promise<void> => {
      const store = inventoryStore.forTenant(tenant);
      if (await store.addDevice(tx, deviceId)) await markCreated(tx, tenant, deviceId, clock());
      for (const [name, value] of Object.entries(identity)) {
        // The device must not say of itself that it is accepted.
        if (name === 'status' || name === '') continue;
        await store.putAttribute(tx, deviceId, { scope: 'identity', name, value: searchable(value) });
      }
      await store.noteTexts(tx, deviceId);
    },

    setStatus: async (
      tx: Transaction,
      { tenant }: Actor,
      deviceId: string,
      status: string,
    ): Promise<void> => {
      const store = inventoryStore.forTenant(tenant);
      if (await store.addDevice(tx, deviceId)) await markCreated(tx, tenant, deviceId, clock());
      await store.putAttribute(tx, deviceId, { scope: 'identity', name: 'status', value: status });
      await store.noteTexts(tx, deviceId);
    },

    forget: (tx: Transaction, { tenant }: Actor, deviceId: string): Promise<void> =>
      inventoryStore.forTenant(tenant).deleteDevice(tx, deviceId),

    /** To the day: the reference promises no more, and the exact time is with device authentication. */
    noteCheckIns: async (
      tx: Transaction,
      tenant: Tenant,
      times: Readonly<Record<string, number>>,
    ): Promise<void> => {
      const store = inventoryStore.forTenant(tenant);
      const known = await store.known(tx, Object.keys(times));
      for (const [id, time] of Object.entries(times))
        if (known.has(id))
          await store.putAttribute(tx, id, {
            scope: 'system',
            name: 'check_in_time',
            value: rfc3339(time),
          });
    },
  };
}

/** Accepted devices of a static group, sorted: the target of a deployment. */
export async function devicesInGroup(db: Reader, actor: Actor, group: string): Promise<string[]> {
  return inventoryStore
    .forTenant(actor.tenant)
    .ids(db, conditionsOf(db, actor, [inGroup(group), isAccepted]));
}

const isAccepted: Term = { scope: 'identity', attribute: 'status', operator: '$eq', value: 'accepted' };

export const groupOfDevice = (db: Reader, { tenant }: Actor, deviceId: string): Promise<string | null> =>
  groupOf(db, tenant, deviceId);

/** The first device, by id, with this attribute. */
export async function deviceByAttribute(
  db: Reader,
  actor: Actor,
  { scope, name, value }: { readonly scope: string; readonly name: string; readonly value: string },
): Promise<string | undefined> {
  const term: Term = { scope: readScope(scope), attribute: name, operator: '$eq', value };
  const conditions = conditionsOf(db, actor, [term]);
  const [id] = await inventoryStore
    .forTenant(actor.tenant)
    .find(db, conditions, [], { offset: 0, perPage: 1 });
  return id;
}

/** What the device last reported, by name. */
export async function deviceInventory(
  db: Reader,
  tenant: Tenant,
  deviceId: string,
): Promise<ReadonlyMap<string, AttributeValue>> {
  const attributes = await inventoryStore.forTenant(tenant).scope(db, deviceId, 'inventory');
  return new Map(attributes.map(({ name, value }) => [name, value]));
}

const inGroup = (group: string): Term => ({
  scope: 'system',
  attribute: 'group',
  operator: '$eq',
  value: group,
});

const groupOf = async (db: Reader, tenant: Tenant, id: string): Promise<string | null> =>
  (await inventoryStore.forTenant(tenant).value(db, id, 'system', 'group'))?.text_value ?? null;

const markCreated = (tx: Transaction, tenant: Tenant, id: string, now: number): Promise<void> =>
  inventoryStore
    .forTenant(tenant)
    .putAttribute(tx, id, { scope: 'system', name: 'created_ts', value: rfc3339(now) });

/** Writes what differs, and says whether anything did. Throws `badRequest` above the limit of the scope. */
async function writeScope(
  tx: Transaction,
  tenant: Tenant,
  deviceId: string,
  scope: keyof typeof limits,
  given: readonly NewAttribute[],
  mode: 'replace' | 'update',
  time?: number,
): Promise<boolean> {
  const store = inventoryStore.forTenant(tenant);
  const before = new Map(
    (await store.scope(tx, deviceId, scope)).map((attribute) => [attribute.name, attribute]),
  );
  // A name may come twice: the last counts.
  const wanted = new Map(given.map((attribute) => [attribute.name, attribute]));
  const names = mode === 'replace' ? new Set(wanted.keys()) : new Set([...before.keys(), ...wanted.keys()]);
  if (names.size > limits[scope]) {
    throw new ServerError('badRequest', 'the number of attributes in the scope is above the limit');
  }
  let changed = false;
  for (const name of before.keys()) {
    if (names.has(name)) continue;
    await store.deleteAttribute(tx, deviceId, scope, name);
    changed = true;
  }
  for (const { name, value, description } of wanted.values()) {
    const old = before.get(name);
    const attribute: StoredAttribute = {
      scope,
      name,
      value,
      description: description ?? old?.description,
      time,
    };
    if (old !== undefined && isDeepStrictEqual({ ...old }, { ...attribute })) continue;
    await store.putAttribute(tx, deviceId, attribute);
    changed = true;
  }
  return changed;
}

/** Identity data may hold anything; what cannot be searched as it is, is kept as its JSON text. */
const searchable = (value: unknown): AttributeValue => {
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'number')) return value;
  return JSON.stringify(value);
};

function assertGroupName(name: string): void {
  if (name === '') throw new ServerError('badRequest', 'group: cannot be blank.');
  if (name.length > 256) throw new ServerError('badRequest', 'group: the length must be between 1 and 256.');
  if (!/^[A-Za-z0-9_-]*$/.test(name)) {
    throw new ServerError(
      'badRequest',
      'group: group name can only contain: upper/lowercase alphanum, -(dash), _(underscore).',
    );
  }
}

function assertSomeDevices(ids: readonly string[]): void {
  if (ids.length === 0) throw new ServerError('badRequest', 'no device IDs present in payload');
}

const isSameDay = (a: number, b: number): boolean =>
  Math.floor(a / millisecondsPerDay) === Math.floor(b / millisecondsPerDay);
