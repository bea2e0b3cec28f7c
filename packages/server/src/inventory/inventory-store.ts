import type { AttributeScope, Page } from '@tandem/api';
import { sql, type Selectable, type SqlBool } from 'kysely';
import type { Tenant } from '../actor.ts';
import { preparedQuery } from '../database/prepared-query.ts';
import { engineOf, firstOrLastValue, isTextIn, stillWanted } from '../database/sql-differences.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import { attributesOf, rowsOf, type StoredAttribute, type ValueRow } from './attribute-rows.ts';
import { areSorted, devicesOf, isAmong, type Condition } from './device-set.ts';
import type { InventoryTables } from './inventory-tables.ts';
import { writeSearchedTexts } from './searched-texts.ts';
import { sortedByAttribute } from './sorted-devices.ts';

export interface InventoryEntry {
  readonly id: string;
  readonly attributes: readonly StoredAttribute[];
}

export interface InventorySort {
  readonly scope: AttributeScope;
  readonly attribute: string;
  readonly order: 'asc' | 'desc';
}

/** The SQL of devices and their attributes, always of one tenant. */
export const inventoryStore = {
  forTenant: (tenant: Tenant) => {
    const valuesOf = (db: Reader) => db.selectFrom('inventory_values').where('tenant', '=', tenant);

    const deleteAttribute = async (
      tx: Transaction,
      deviceId: string,
      scope: AttributeScope,
      name: string,
    ) => {
      await deleteValues(tx, { tenant, deviceId, scope, name });
    };

    const found = (
      db: Reader,
      conditions: readonly Condition[],
      sort: readonly InventorySort[],
      page: Pick<Page, 'offset' | 'perPage'>,
    ) => {
      let query = matching(db, tenant, conditions).select('id').limit(page.perPage).offset(page.offset);
      if (sort.length > 0) query = query.where(stillWanted(engineOf(db)));
      for (const key of sort) {
        query = query.orderBy(sortKey(db, tenant, key), (direction) =>
          key.order === 'asc' ? direction.asc().nullsFirst() : direction.desc().nullsLast(),
        );
      }
      return query.orderBy('id');
    };

    const count = async (db: Reader, conditions: readonly Condition[]): Promise<number> => {
      const row = await matching(db, tenant, conditions)
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return row.count;
    };

    return {
      /** The device's row without attributes; undefined when the inventory does not know it. */
      device: (db: Reader, id: string): Promise<{ id: string; tags_etag: string | null } | undefined> =>
        db
          .selectFrom('inventory_devices')
          .select(['id', 'tags_etag'])
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .executeTakeFirst(),

      /** Those of them that the inventory knows. */
      known: async (db: Reader, ids: readonly string[]): Promise<ReadonlySet<string>> => {
        const rows = await db
          .selectFrom('inventory_devices')
          .select('id')
          .where('tenant', '=', tenant)
          .where(isTextIn(engineOf(db), sql.ref('id'), ids))
          .execute();
        return new Set(rows.map(({ id }) => id));
      },

      /** False when it was there. */
      addDevice: async (tx: Transaction, id: string): Promise<boolean> => {
        const { numInsertedOrUpdatedRows } = await tx
          .insertInto('inventory_devices')
          .values({ tenant, id, tags_etag: null })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst();
        return (numInsertedOrUpdatedRows ?? 0n) > 0n;
      },

      /** With all of its attributes. */
      deleteDevice: async (tx: Transaction, id: string): Promise<void> => {
        await tx.deleteFrom('inventory_devices').where('tenant', '=', tenant).where('id', '=', id).execute();
      },

      setTagsEtag: async (tx: Transaction, id: string, etag: string): Promise<void> => {
        await tx
          .updateTable('inventory_devices')
          .set({ tags_etag: etag })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .execute();
      },

      /** All attributes of the devices, by device. */
      attributes: async (db: Reader, ids: readonly string[]): Promise<Map<string, StoredAttribute[]>> => {
        if (ids.length === 0) return new Map();
        const rows = await valuesOf(db)
          .selectAll()
          .where('device_id', 'in', ids)
          .orderBy('device_id')
          .orderBy('scope')
          .orderBy('name')
          .orderBy('position')
          .execute();
        const byDevice = Map.groupBy(rows, ({ device_id }) => device_id);
        return new Map([...byDevice].map(([id, values]) => [id, attributesOf(values)]));
      },

      /** What the devices have by these names, but for arrays. */
      singleValues: async (
        db: Reader,
        ids: readonly string[],
        scope: AttributeScope,
        names: readonly string[],
      ): Promise<{ deviceId: string; name: string; value: string | number }[]> => {
        const rows = await valuesOf(db)
          .select(['device_id', 'name', 'text_value', 'number_value'])
          .where(isTextIn(engineOf(db), sql.ref('device_id'), ids))
          .where('scope', '=', scope)
          .where('name', 'in', names)
          .where('position', '=', 0)
          .where('is_array', '=', 0)
          .execute();
        return rows.map(({ device_id, name, text_value, number_value }) => ({
          deviceId: device_id,
          name,
          value: text_value ?? number_value ?? '',
        }));
      },

      scope: async (db: Reader, deviceId: string, scope: AttributeScope): Promise<StoredAttribute[]> =>
        attributesOf(await valuesOfScope(db, { tenant, deviceId, scope })),

      /** The first value of one attribute. */
      value: async (
        db: Reader,
        deviceId: string,
        scope: AttributeScope,
        name: string,
      ): Promise<ValueRow | undefined> => (await firstValue(db, { tenant, deviceId, scope, name }))[0],

      deleteAttribute,

      putAttribute: async (tx: Transaction, deviceId: string, attribute: StoredAttribute): Promise<void> => {
        await deleteAttribute(tx, deviceId, attribute.scope, attribute.name);
        for (const row of rowsOf(attribute)) await insertValue(tx, { tenant, device_id: deviceId, ...row });
      },

      /** After attributes were put or deleted: by what free text finds the device from now on. */
      noteTexts: async (tx: Transaction, deviceId: string): Promise<void> => {
        await writeSearchedTexts(tx, { tenant, deviceId });
      },

      /** Names of the static groups, sorted; of devices with that status only, when one is given. */
      groups: async (db: Reader, conditions: readonly Condition[]): Promise<string[]> => {
        const rows = await valuesOf(db)
          .select('text_value')
          .distinct()
          .where('scope', '=', 'system')
          .where('name', '=', 'group')
          .where('text_value', 'is not', null)
          .where(isAmong(engineOf(db), tenant, conditions, sql.ref('device_id')))
          .orderBy('text_value')
          .execute();
        return rows.flatMap(({ text_value }) => (text_value === null ? [] : [text_value]));
      },

      /** Ids of the devices for which all conditions hold, sorted by the keys and then by id. */
      find: async (
        db: Reader,
        conditions: readonly Condition[],
        sort: readonly InventorySort[],
        page: Pick<Page, 'offset' | 'perPage'>,
      ): Promise<string[]> => {
        const rows = await found(db, conditions, sort, page).execute();
        return rows.map(({ id }) => id);
      },

      /** The same, and how many there are on all pages. */
      findAndCount: async (
        db: Reader,
        conditions: readonly Condition[],
        sort: readonly InventorySort[],
        page: Pick<Page, 'offset' | 'perPage'>,
      ): Promise<{ ids: string[]; total: number }> => {
        const [key] = sort;
        if (sort.length === 1 && key !== undefined && !isId(key)) {
          const total = await count(db, conditions);
          return { ids: await sortedByAttribute(db, tenant, conditions, key, { ...page, total }), total };
        }
        const query = found(db, conditions, sort, page);
        // To find out what meets the conditions may be the most of it: both in one then.
        const rows = await query
          .$if(!areSorted(conditions) || sort.length > 0, (counted) =>
            counted.select(sql<number>`count(*) OVER ()`.as('total')),
          )
          .execute();
        const isLast = rows.length < page.perPage && (rows.length > 0 || page.offset === 0);
        return {
          ids: rows.map(({ id }) => id),
          total: rows[0]?.total ?? (isLast ? page.offset + rows.length : await count(db, conditions)),
        };
      },

      /** All ids for which the conditions hold, sorted. */
      ids: async (db: Reader, conditions: readonly Condition[]): Promise<string[]> => {
        const rows = await matching(db, tenant, conditions).select('id').orderBy('id').execute();
        return rows.map(({ id }) => id);
      },

      /** How many of the first `sample` devices have which attribute, the most frequent first. */
      attributeCounts: (db: Reader, conditions: readonly Condition[], sample: number, limit: number) =>
        valuesOf(db)
          .select(['name', 'scope', ({ fn }) => fn.countAll<number>().as('count')])
          .where('position', '=', 0)
          .where('device_id', 'in', matching(db, tenant, conditions).select('id').orderBy('id').limit(sample))
          .groupBy(['scope', 'name'])
          .orderBy('count', 'desc')
          .orderBy('scope')
          .orderBy('name')
          .limit(limit)
          .execute(),

      /** How many devices have each first value of the attribute, the most frequent first; a number as its text. */
      valueCounts: async (
        db: Reader,
        conditions: readonly Condition[],
        { scope, name }: { scope: AttributeScope; name: string },
        limit: number,
      ): Promise<{ values: { value: string; count: number }[]; devices: number }> => {
        // Each kind of value along its own index, in which it is sorted and so grouped already.
        const countsOf = (column: 'text_value' | 'number_value') =>
          valuesOf(db)
            .select([
              sql<string | number>`${sql.ref(column)}`.as('value'),
              ({ fn }) => fn.countAll<number>().as('count'),
              sql<number>`CAST(sum(count(*)) OVER () AS INTEGER)`.as('devices'),
            ])
            .where('scope', '=', scope)
            .where('name', '=', name)
            .where('position', '=', 0)
            .where(column, 'is not', null)
            .where(isAmong(engineOf(db), tenant, conditions, sql.ref('device_id')))
            .groupBy(column)
            .orderBy('count', 'desc')
            .orderBy(column)
            .limit(limit)
            .execute();
        const texts = await countsOf('text_value');
        const numbers = await countsOf('number_value');
        return {
          values: [...texts, ...numbers]
            .map(({ value, count }) => ({ value: String(value), count }))
            .sort((a, b) => b.count - a.count)
            .slice(0, limit),
          devices: (texts[0]?.devices ?? 0) + (numbers[0]?.devices ?? 0),
        };
      },

      /** How many devices there are of each status and tier; `tier` is null for those without one. */
      statusCounts: async (
        db: Reader,
        conditions: readonly Condition[],
      ): Promise<{ status: string; tier: string | null; count: number }[]> => {
        const isOfThem = sql<SqlBool>`(
          status.tenant = ${tenant} AND status.scope = 'identity' AND status.name = 'status'
            AND status.text_value IS NOT NULL
            AND ${isAmong(engineOf(db), tenant, conditions, sql.ref('status.device_id'))}
        )`;
        const all = await db
          .selectFrom('inventory_values as status')
          .where(isOfThem)
          .select(['status.text_value as status', ({ fn }) => fn.countAll<number>().as('count')])
          .groupBy('status.text_value')
          .execute();
        // Few devices have a tier, and SQLite begins a CROSS JOIN on its left: to look for one at each device would take longer.
        const tiered = await db
          .selectFrom('inventory_values as tier')
          .crossJoin('inventory_values as status')
          .where('tier.tenant', '=', tenant)
          .where('tier.scope', '=', 'system')
          .where('tier.name', '=', 'tier')
          .where('tier.position', '=', 0)
          .where('tier.text_value', 'is not', null)
          .whereRef('tier.device_id', '=', 'status.device_id')
          .where(isOfThem)
          .select([
            'status.text_value as status',
            'tier.text_value as tier',
            ({ fn }) => fn.countAll<number>().as('count'),
          ])
          .groupBy(['status.text_value', 'tier.text_value'])
          .execute();
        const counts = all.map(({ status, count }) => ({
          status: status ?? '',
          tier: null,
          count:
            count - tiered.filter((one) => one.status === status).reduce((sum, one) => sum + one.count, 0),
        }));
        return [...counts, ...tiered.map((one) => ({ ...one, status: one.status ?? '' }))];
      },
    };
  },
};

const matching = (db: Reader, tenant: Tenant, conditions: readonly Condition[]) =>
  db.selectFrom(sql<{ id: string }>`(${devicesOf(tenant, conditions)})`.as('matching'));

const isId = ({ scope, attribute }: Pick<InventorySort, 'scope' | 'attribute'>): boolean =>
  scope === 'identity' && attribute === 'id';

function sortKey(db: Reader, tenant: Tenant, { scope, attribute, order }: InventorySort) {
  if (isId({ scope, attribute })) return sql.ref('matching.id');
  return firstOrLastValue(
    engineOf(db),
    order,
    sql`inventory_values AS v
      WHERE v.tenant = ${tenant} AND v.device_id = matching.id AND v.scope = ${scope} AND v.name = ${attribute}`,
  );
}

// What each report of each device runs.

type AttributeKey = {
  readonly tenant: string;
  readonly deviceId: string;
  readonly scope: AttributeScope;
  readonly name: string;
};

const valuesOfScope = preparedQuery<{ tenant: string; deviceId: string; scope: AttributeScope }, ValueRow>(
  (db, value) =>
    db
      .selectFrom('inventory_values')
      .selectAll()
      .where('tenant', '=', value('tenant'))
      .where('device_id', '=', value('deviceId'))
      .where('scope', '=', value('scope'))
      .orderBy('name')
      .orderBy('position'),
);

const firstValue = preparedQuery<AttributeKey, ValueRow>((db, value) =>
  db
    .selectFrom('inventory_values')
    .selectAll()
    .where('tenant', '=', value('tenant'))
    .where('device_id', '=', value('deviceId'))
    .where('scope', '=', value('scope'))
    .where('name', '=', value('name'))
    .where('position', '=', 0),
);

const deleteValues = preparedQuery<AttributeKey, unknown>((db, value) =>
  db
    .deleteFrom('inventory_values')
    .where('tenant', '=', value('tenant'))
    .where('device_id', '=', value('deviceId'))
    .where('scope', '=', value('scope'))
    .where('name', '=', value('name')),
);

const insertValue = preparedQuery<Selectable<InventoryTables['inventory_values']>, unknown>((db, value) =>
  db.insertInto('inventory_values').values({
    tenant: value('tenant'),
    device_id: value('device_id'),
    scope: value('scope'),
    name: value('name'),
    position: value('position'),
    is_array: value('is_array'),
    text_value: value('text_value'),
    number_value: value('number_value'),
    description: value('description'),
    time: value('time'),
  }),
);
