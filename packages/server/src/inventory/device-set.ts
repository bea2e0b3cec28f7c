import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely';
import type { Tenant } from '../actor.ts';
import { notByIndex, type Engine } from '../database/sql-differences.ts';

/** What devices are asked for, as a set of them: conditions hold together where their sets overlap. */
export interface Condition {
  /** One column `id`; a device may come several times. */
  readonly ids: RawBuilder<unknown>;
  /** False where the others are meant, those that are not in the set. */
  readonly holds: boolean;
  /** Whether an index gives them sorted by id: a page is then found without the rest. */
  readonly isSorted: boolean;
}

/**
 * The devices for which all conditions hold, each once, as one column `id`. Sets are merged: SQLite walks their indexes side by side,
 * where looking up each device of one in another takes several times as long.
 */
export function devicesOf(tenant: Tenant, conditions: readonly Condition[]): RawBuilder<{ id: string }> {
  const within = conditions.filter(({ holds }) => holds).map(({ ids }) => ids);
  const without = conditions.filter(({ holds }) => !holds).map(({ ids }) => ids);
  // To merge takes two; and what is merged is in order as it comes, where DISTINCT would gather all of it first.
  if (conditions.length < 2 || within.length === 0) within.push(devicesWhere(tenant));
  const [first, ...others] = within;
  const parts = [
    first,
    ...others.map((ids) => sql`INTERSECT ${ids}`),
    ...without.map((ids) => sql`EXCEPT ${ids}`),
  ];
  return sql`${sql.join(parts, sql` `)}`;
}

/** Whether the device of a row is one for which all conditions hold. The rows are read along their index, not looked up by device. */
export const isAmong = (
  engine: Engine,
  tenant: Tenant,
  conditions: readonly Condition[],
  deviceId: RawBuilder<unknown>,
): RawBuilder<SqlBool> =>
  conditions.length === 0
    ? sql`1 = 1`
    : sql`${notByIndex(engine, deviceId)} IN (${listOf(tenant, conditions)})`;

/** As devicesOf, but in no order and with some twice: to be in a list one condition needs no other to be merged with. */
function listOf(tenant: Tenant, conditions: readonly Condition[]): RawBuilder<unknown> {
  const [only, ...others] = conditions;
  return only?.holds === true && others.length === 0 ? only.ids : devicesOf(tenant, conditions);
}

export const areSorted = (conditions: readonly Condition[]): boolean =>
  conditions.every(({ isSorted }) => isSorted);

export const not = (condition: Condition): Condition => ({ ...condition, holds: !condition.holds });

export const either = (tenant: Tenant, a: Condition, b: Condition): Condition => ({
  ids: sql`SELECT id FROM (
    SELECT id FROM (${devicesOf(tenant, [a])}) AS one UNION SELECT id FROM (${devicesOf(tenant, [b])}) AS other
  ) AS united`,
  holds: true,
  isSorted: a.isSorted && b.isSorted,
});

/** Those for whose `inventory_devices.id` all of it is true. */
export const devicesThat = (tenant: Tenant, are: readonly Expression<SqlBool>[]): Condition => ({
  ids: devicesWhere(tenant, are),
  holds: true,
  isSorted: true,
});

const devicesWhere = (tenant: Tenant, are: readonly Expression<SqlBool>[] = []): RawBuilder<unknown> =>
  sql`SELECT inventory_devices.id FROM inventory_devices WHERE ${sql.join(
    [sql`inventory_devices.tenant = ${tenant}`, ...are],
    sql` AND `,
  )}`;
