import type { Page } from '@tandem/api';
import { sql, type Insertable, type Selectable, type SelectQueryBuilder } from 'kysely';
import type { Actor, Tenant } from '../actor.ts';
import { engineOf } from '../database/sql-differences.ts';
import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { isVisibleDevice } from '../visibility.ts';
import type { DeviceAuthTables } from './device-auth-tables.ts';
import type { AuthSetStatus, DeviceStatus } from './device-status.ts';

export type DeviceRow = Selectable<DeviceAuthTables['devices']>;
export type AuthSetRow = Selectable<DeviceAuthTables['auth_sets']>;

export interface DeviceFilter {
  readonly statuses: readonly string[];
  readonly ids: readonly string[];
}

/** The SQL of devices, auth sets, device tokens and limits, always of one tenant, or of what an actor sees of it. */
export const deviceStore = {
  seenBy: (actor: Actor) => ({
    device: (db: Reader, id: string): Promise<DeviceRow | undefined> =>
      visible(db, actor).selectAll().where('id', '=', id).executeTakeFirst(),

    /** A page and one more row, by status and id. */
    devices: (db: Reader, filter: DeviceFilter, { offset, perPage }: Page): Promise<DeviceRow[]> =>
      filtered(db, actor, filter)
        .selectAll()
        .orderBy('status')
        .orderBy('id')
        .limit(perPage + 1)
        .offset(offset)
        .execute(),

    countDevices: (db: Reader, filter: DeviceFilter): Promise<number> => counted(filtered(db, actor, filter)),

    /** Ids of the accepted devices, sorted. They come as one text: to hand over a row for each takes longer than to find them. */
    acceptedDevices: async (
      db: Reader,
      { after, limit }: { readonly after: string; readonly limit: number },
    ): Promise<string[]> => {
      const accepted = visible(db, actor)
        .select('id')
        .where('status', '=', 'accepted')
        // Along the index of the status, without a look at each device.
        .where('id', 'not in', (where) =>
          where
            .selectFrom('devices as leaving')
            .where('leaving.tenant', '=', actor.tenant)
            .where('leaving.decommissioning', '=', sql.lit(1))
            .select('leaving.id'),
        )
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .as('accepted');
      const found = await db
        .selectFrom(accepted)
        .select(sql<string | null>`string_agg(id, ${sql.lit('\n')} ORDER BY id)`.as('ids'))
        .executeTakeFirst();
      return found?.ids?.split('\n') ?? [];
    },

    /** Those of the ids, auth sets of devices that are seen. */
    authSets: async (db: Reader, ids: readonly string[]): Promise<AuthSetRow[]> => {
      if (ids.length === 0) return [];
      const isSeen = isVisibleDevice(engineOf(db), actor, sql.ref('auth_sets.device_id'));
      return db
        .selectFrom('auth_sets')
        .selectAll()
        .where('tenant', '=', actor.tenant)
        .where('id', 'in', ids)
        .where((where) => where.and(isSeen))
        .execute();
    },
  }),

  forTenant: (tenant: Tenant) => ({
    device: (db: Reader, id: string): Promise<DeviceRow | undefined> =>
      db
        .selectFrom('devices')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .executeTakeFirst(),

    deviceByIdentity: (db: Reader, hash: string): Promise<DeviceRow | undefined> =>
      db
        .selectFrom('devices')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('id_data_hash', '=', hash)
        .executeTakeFirst(),

    countAccepted: (db: Reader): Promise<number> =>
      counted(db.selectFrom('devices').where('tenant', '=', tenant).where('status', '=', 'accepted')),

    insertDevice: async (tx: Transaction, row: Omit<DeviceRow, 'tenant'>): Promise<void> => {
      await tx
        .insertInto('devices')
        .values({ ...row, tenant })
        .execute();
    },

    setDeviceStatus: async (
      tx: Transaction,
      id: string,
      status: DeviceStatus,
      updated: number,
    ): Promise<void> => {
      await tx
        .updateTable('devices')
        .set({ status, updated })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
    },

    /** Auth sets, tokens and its check-in go with it. */
    deleteDevice: async (tx: Transaction, id: string): Promise<void> => {
      await tx.deleteFrom('devices').where('tenant', '=', tenant).where('id', '=', id).execute();
    },

    authSet: (db: Reader, id: string): Promise<AuthSetRow | undefined> =>
      db
        .selectFrom('auth_sets')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .executeTakeFirst(),

    authSetByKey: (db: Reader, hash: string, pubkey: string): Promise<AuthSetRow | undefined> =>
      db
        .selectFrom('auth_sets')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('id_data_hash', '=', hash)
        .where('pubkey', '=', pubkey)
        .executeTakeFirst(),

    authSets: (db: Reader, deviceIds: readonly string[]): Promise<AuthSetRow[]> =>
      db
        .selectFrom('auth_sets')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('device_id', 'in', deviceIds)
        .orderBy('created')
        .orderBy('id')
        .execute(),

    insertAuthSet: async (tx: Transaction, row: Omit<AuthSetRow, 'tenant'>): Promise<void> => {
      await tx
        .insertInto('auth_sets')
        .values({ ...row, tenant })
        .execute();
    },

    setAuthSetStatus: async (tx: Transaction, id: string, status: AuthSetStatus): Promise<void> => {
      await tx
        .updateTable('auth_sets')
        .set({ status })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
    },

    deleteAuthSet: async (tx: Transaction, id: string): Promise<void> => {
      await tx.deleteFrom('auth_sets').where('tenant', '=', tenant).where('id', '=', id).execute();
    },

    putToken: async (
      tx: Transaction,
      { id, device_id, ...issued }: Omit<Insertable<DeviceAuthTables['device_tokens']>, 'tenant'>,
    ): Promise<void> => {
      await tx
        .insertInto('device_tokens')
        .values({ tenant, id, device_id, ...issued })
        .onConflict((conflict) => conflict.columns(['tenant', 'id']).doUpdateSet(issued))
        .execute();
    },

    /** Whether there was such a token. */
    deleteToken: async (tx: Transaction, id: string): Promise<boolean> => {
      const { numDeletedRows } = await tx
        .deleteFrom('device_tokens')
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },

    deleteTokensOf: async (tx: Transaction, deviceId: string): Promise<void> => {
      await tx
        .deleteFrom('device_tokens')
        .where('tenant', '=', tenant)
        // They have the ids of its auth sets, which are found by an index.
        .where('id', 'in', (of) =>
          of
            .selectFrom('auth_sets')
            .select('id')
            .where('tenant', '=', tenant)
            .where('device_id', '=', deviceId),
        )
        .execute();
    },

    /** Undefined where no limit was set. */
    limit: async (db: Reader, name: string): Promise<number | undefined> => {
      const row = await db
        .selectFrom('device_limits')
        .select('value')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .executeTakeFirst();
      return row?.value;
    },

    setLimit: async (tx: Transaction, name: string, value: number): Promise<void> => {
      await tx
        .insertInto('device_limits')
        .values({ tenant, name, value })
        .onConflict((conflict) => conflict.columns(['tenant', 'name']).doUpdateSet({ value }))
        .execute();
    },
  }),
};

function visible(db: Reader, actor: Actor) {
  const isSeen = isVisibleDevice(engineOf(db), actor, sql.ref('devices.id'));
  return db
    .selectFrom('devices')
    .where('tenant', '=', actor.tenant)
    .where((where) => where.and(isSeen));
}

function filtered(db: Reader, actor: Actor, { statuses, ids }: DeviceFilter) {
  const all = visible(db, actor);
  // What is not a status matches nothing; the column's type knows only those that are.
  const byStatus = statuses.length === 0 ? all : all.where('status', 'in', statuses as DeviceStatus[]);
  return ids.length === 0 ? byStatus : byStatus.where('id', 'in', ids);
}

async function counted<O>(query: SelectQueryBuilder<Tables, 'devices', O>): Promise<number> {
  const { count } = await query
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}
