import type { Page } from '@tandem/api';
import { sql, type RawBuilder } from 'kysely';
import type { Tenant } from '../actor.ts';
import { engineOf, stillWanted } from '../database/sql-differences.ts';
import type { Reader } from '../database/tables.ts';
import { devicesOf, isAmong, type Condition } from './device-set.ts';
import type { InventorySort } from './inventory-store.ts';

export interface SortedPage extends Pick<Page, 'offset' | 'perPage'> {
  /** How many devices there are on all pages. */
  readonly total: number;
}

/**
 * A page of the devices for which all conditions hold, in the order of one attribute and then of their ids: those without it are less
 * than numbers, and numbers less than texts; of an array the smallest element counts, or descending the greatest. Each of the three
 * kinds is read along its index, which is in that order already, and only where the page has any of it.
 */
export async function sortedByAttribute(
  db: Reader,
  tenant: Tenant,
  conditions: readonly Condition[],
  key: InventorySort,
  { offset, perPage, total }: SortedPage,
): Promise<string[]> {
  const numbers = await values(db, tenant, conditions, key, 'number_value');
  const texts = await values(db, tenant, conditions, key, 'text_value');
  const missing = {
    count: total - numbers.count - texts.count,
    ids: (within: Range) => withoutAttribute(db, tenant, conditions, key, within),
  };
  const kinds = key.order === 'asc' ? [missing, numbers, texts] : [texts, numbers, missing];
  const found: string[] = [];
  let start = 0;
  for (const { count, ids } of kinds) {
    const skipped = Math.max(0, offset - start);
    const wanted = perPage - found.length;
    if (wanted > 0 && skipped < count) found.push(...(await ids({ offset: skipped, limit: wanted })));
    start += count;
  }
  return found;
}

interface Range {
  readonly offset: number;
  readonly limit: number;
}

/** The devices that have such values, by the value that counts. */
async function values(
  db: Reader,
  tenant: Tenant,
  conditions: readonly Condition[],
  { scope, attribute, order }: InventorySort,
  name: 'number_value' | 'text_value',
) {
  const column = sql.ref(`v.${name}`);
  const rows = sql`inventory_values AS v
    WHERE v.tenant = ${tenant} AND v.scope = ${scope} AND v.name = ${attribute} AND ${column} IS NOT NULL
      AND ${stillWanted(engineOf(db))} AND ${isAmong(engineOf(db), tenant, conditions, sql.ref('v.device_id'))}`;
  const {
    rows: [counted],
  } = await sql<{ count: number; last: number | null }>`
    SELECT count(*) AS count, max(v.position) AS last FROM ${rows}`.execute(db);
  // Of an array one row counts. To look at the others of each device takes several times as long: only where there are any.
  const hasArrays = (counted?.last ?? 0) > 0;
  const counting = hasArrays ? sql`${rows} AND ${isFirst(tenant, name, order)}` : rows;
  const [{ count } = { count: 0 }] = hasArrays
    ? (await sql<{ count: number }>`SELECT count(*) AS count FROM ${counting}`.execute(db)).rows
    : [{ count: counted?.count ?? 0 }];
  return {
    count,
    ids: async ({ offset, limit }: Range): Promise<string[]> => {
      const page = await sql<{ id: string }>`
        SELECT v.device_id AS id FROM ${counting}
        ORDER BY ${column} ${direction(order)}, v.device_id LIMIT ${limit} OFFSET ${offset}`.execute(db);
      return page.rows.map(({ id }) => id);
    },
  };
}

/** Whether no other element of the array comes before this one. */
const isFirst = (
  tenant: Tenant,
  name: 'number_value' | 'text_value',
  order: InventorySort['order'],
): RawBuilder<unknown> => {
  const [own, other] = [sql.ref(`v.${name}`), sql.ref(`o.${name}`)];
  return sql`NOT EXISTS (
    SELECT 1 FROM inventory_values AS o
    WHERE o.tenant = ${tenant} AND o.device_id = v.device_id AND o.scope = v.scope AND o.name = v.name
      AND (${other} ${order === 'asc' ? sql`<` : sql`>`} ${own} OR (${other} = ${own} AND o.position < v.position))
  )`;
};

const direction = (order: InventorySort['order']) => (order === 'asc' ? sql`ASC` : sql`DESC`);

/** Sorted by id. */
async function withoutAttribute(
  db: Reader,
  tenant: Tenant,
  conditions: readonly Condition[],
  { scope, attribute }: InventorySort,
  { offset, limit }: Range,
): Promise<string[]> {
  const page = await sql<{ id: string }>`
    SELECT id FROM (${devicesOf(tenant, conditions)}) AS matching
    WHERE ${stillWanted(engineOf(db))} AND NOT EXISTS (
      SELECT 1 FROM inventory_values AS v
      WHERE v.tenant = ${tenant} AND v.device_id = matching.id AND v.scope = ${scope} AND v.name = ${attribute}
        AND (v.number_value IS NOT NULL OR v.text_value IS NOT NULL)
    )
    ORDER BY id LIMIT ${limit} OFFSET ${offset}`.execute(db);
  return page.rows.map(({ id }) => id);
}
