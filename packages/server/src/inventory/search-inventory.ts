import type { AttributeScope, Page, SearchBody } from '@tandem/api';
import { sql } from 'kysely';
import type { Actor, Tenant } from '../actor.ts';
import { engineOf } from '../database/sql-differences.ts';
import type { Reader } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { isVisibleDevice } from '../visibility.ts';
import { devicesThat, either, type Condition } from './device-set.ts';
import { condition, isOneOf, readScope, readTerm, type Term } from './filter-query.ts';
import { inventoryStore, type InventoryEntry, type InventorySort } from './inventory-store.ts';
import { hasSomeWord, wordsOf } from './searched-texts.ts';

export interface Found {
  readonly devices: readonly InventoryEntry[];
  readonly total: number;
}

/** Conditions that hold for what the actor may see, besides those of the filter. */
export const conditionsOf = (db: Reader, actor: Actor, terms: readonly Term[]): Condition[] => [
  ...terms.map((term) => condition(engineOf(db), actor.tenant, term)),
  ...isVisibleDevice(engineOf(db), actor, sql.ref('inventory_devices.id')).map((isSeen) =>
    devicesThat(actor.tenant, [isSeen]),
  ),
];

/** A page of the devices for which all conditions hold, with their attributes. */
export async function findDevices(
  db: Reader,
  tenant: Tenant,
  conditions: readonly Condition[],
  sort: readonly InventorySort[],
  page: Page,
): Promise<Found> {
  const store = inventoryStore.forTenant(tenant);
  const { ids, total } = await store.findAndCount(db, conditions, sort, page);
  const attributes = await store.attributes(db, ids);
  return { total, devices: ids.map((id) => ({ id, attributes: attributes.get(id) ?? [] })) };
}

/** Server contract 3.4, `filters/search`. Throws `badRequest`. */
export async function search(db: Reader, actor: Actor, body: SearchBody, page: Page): Promise<Found> {
  const conditions = conditionsOf(db, actor, (body.filters ?? []).map(readTerm));
  if (body.device_ids !== undefined && body.device_ids.length > 0)
    conditions.push(isOneOf(engineOf(db), actor.tenant, body.device_ids));
  const words = wordsOf(body.text ?? '');
  if (words.length > 0) conditions.push(hasSomeWord(engineOf(db), actor.tenant, words));
  const sort = (body.sort ?? []).map(({ scope, attribute, order }) => ({
    scope: readScope(scope),
    attribute,
    order: order ?? 'asc',
  }));
  const found = await findDevices(db, actor.tenant, conditions, sort, page);
  return body.attributes === undefined || body.attributes.length === 0
    ? found
    : { ...found, devices: found.devices.map((device) => project(device, body.attributes ?? [])) };
}

/** Only the attributes asked for, and system/updated_ts (server contract 3.4). */
function project(
  { id, attributes }: InventoryEntry,
  wanted: readonly { scope: string; attribute: string }[],
): InventoryEntry {
  const names = new Set(wanted.map(({ scope, attribute }) => `${readScope(scope)}/${attribute}`));
  names.add('system/updated_ts');
  return { id, attributes: attributes.filter(({ scope, name }) => names.has(`${scope}/${name}`)) };
}

/** `[scope/]attribute=[eq:]value` of the v1 list: a value that looks like a number also matches the number. */
export function looseEquality(db: Reader, tenant: Tenant, key: string, value: string): Condition {
  const { scope, attribute } = readAttributeKey(key);
  const text = value.startsWith('eq:') ? value.slice(3) : value;
  const equals = (to: string | number) =>
    condition(engineOf(db), tenant, { scope, attribute, operator: '$eq', value: to });
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) return equals(text);
  return either(tenant, equals(text), equals(number));
}

/** `[scope/]attribute[:asc|desc]`; without a direction it is descending (server contract 3.3 and 14). */
export function readSort(given: string): InventorySort {
  const [key = '', order = 'desc', ...rest] = given.split(':');
  if (key === '' || (order !== 'asc' && order !== 'desc') || rest.length > 0) {
    throw new ServerError('badRequest', 'invalid sort order');
  }
  return { ...readAttributeKey(key), order };
}

function readAttributeKey(key: string): { scope: AttributeScope; attribute: string } {
  const slash = key.indexOf('/');
  if (slash === -1) return { scope: 'inventory', attribute: key };
  return { scope: readScope(key.slice(0, slash)), attribute: key.slice(slash + 1) };
}
