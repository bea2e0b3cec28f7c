import type { Selectable } from 'kysely';
import type { Tenant } from '../actor.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import type { UserTables } from './user-tables.ts';

export type UserRow = Selectable<UserTables['users']>;
export type UserTokenRow = Selectable<UserTables['user_tokens']>;

export interface UserFilter {
  readonly ids: readonly string[];
  readonly emails: readonly string[];
  /** Milliseconds, exclusive. */
  readonly createdAfter: number | undefined;
  readonly createdBefore: number | undefined;
  readonly updatedAfter: number | undefined;
  readonly updatedBefore: number | undefined;
}

/** A login knows an address and no tenant; the only query that is of no tenant. */
export const userByEmail = (db: Reader, email: string): Promise<UserRow | undefined> =>
  db.selectFrom('users').selectAll().where('email', '=', email).executeTakeFirst();

/** The SQL of users, their tokens and settings, always of one tenant. */
export const userStore = {
  forTenant: (tenant: Tenant) => ({
    user: (db: Reader, id: string): Promise<UserRow | undefined> =>
      db.selectFrom('users').selectAll().where('tenant', '=', tenant).where('id', '=', id).executeTakeFirst(),

    users: (db: Reader, filter: UserFilter): Promise<UserRow[]> => {
      let query = db.selectFrom('users').selectAll().where('tenant', '=', tenant);
      if (filter.ids.length > 0) query = query.where('id', 'in', filter.ids);
      if (filter.emails.length > 0) query = query.where('email', 'in', filter.emails);
      if (filter.createdAfter !== undefined) query = query.where('created', '>', filter.createdAfter);
      if (filter.createdBefore !== undefined) query = query.where('created', '<', filter.createdBefore);
      if (filter.updatedAfter !== undefined) query = query.where('updated', '>', filter.updatedAfter);
      if (filter.updatedBefore !== undefined) query = query.where('updated', '<', filter.updatedBefore);
      return query.orderBy('email').execute();
    },

    hasUsers: async (db: Reader): Promise<boolean> =>
      (await db.selectFrom('users').select('id').where('tenant', '=', tenant).limit(1).executeTakeFirst()) !==
      undefined,

    insertUser: async (tx: Transaction, user: Omit<UserRow, 'tenant'>): Promise<void> => {
      await tx
        .insertInto('users')
        .values({ ...user, tenant })
        .execute();
    },

    updateUser: async (
      tx: Transaction,
      id: string,
      change: Partial<Omit<UserRow, 'tenant' | 'id'>>,
    ): Promise<void> => {
      await tx.updateTable('users').set(change).where('tenant', '=', tenant).where('id', '=', id).execute();
    },

    /** Tokens go with it. */
    deleteUser: async (tx: Transaction, id: string): Promise<boolean> => {
      const { numDeletedRows } = await tx
        .deleteFrom('users')
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      await tx.deleteFrom('settings').where('tenant', '=', tenant).where('user_id', '=', id).execute();
      return numDeletedRows > 0n;
    },

    /** Whether a first administrator was ever made. */
    hasFirstAdministrator: async (db: Reader): Promise<boolean> =>
      (await db
        .selectFrom('first_administrators')
        .select('user_id')
        .where('tenant', '=', tenant)
        .executeTakeFirst()) !== undefined,

    /** Closes the door; false when it was closed before. */
    claimFirstAdministrator: async (tx: Transaction, userId: string, created: number): Promise<boolean> => {
      const { numInsertedOrUpdatedRows } = await tx
        .insertInto('first_administrators')
        .values({ tenant, user_id: userId, created })
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return (numInsertedOrUpdatedRows ?? 0n) > 0n;
    },

    token: (db: Reader, id: string): Promise<UserTokenRow | undefined> =>
      db
        .selectFrom('user_tokens')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .executeTakeFirst(),

    /** A user's tokens of one kind, the oldest first. */
    tokens: (db: Reader, userId: string, kind: UserTokenRow['kind']): Promise<UserTokenRow[]> =>
      db
        .selectFrom('user_tokens')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('user_id', '=', userId)
        .where('kind', '=', kind)
        .orderBy('created')
        .orderBy('id')
        .execute(),

    insertToken: async (tx: Transaction, token: Omit<UserTokenRow, 'tenant'>): Promise<void> => {
      await tx
        .insertInto('user_tokens')
        .values({ ...token, tenant })
        .execute();
    },

    touchToken: async (tx: Transaction, id: string, lastUsed: number): Promise<void> => {
      await tx
        .updateTable('user_tokens')
        .set({ last_used: lastUsed })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
    },

    /** Whether there was such a token. */
    deleteToken: async (tx: Transaction, userId: string, id: string): Promise<boolean> => {
      const { numDeletedRows } = await tx
        .deleteFrom('user_tokens')
        .where('tenant', '=', tenant)
        .where('user_id', '=', userId)
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },

    /** All but one: that of the caller, or none. */
    deleteOtherTokens: async (tx: Transaction, userId: string, keep: string | undefined): Promise<void> => {
      await tx
        .deleteFrom('user_tokens')
        .where('tenant', '=', tenant)
        .where('user_id', '=', userId)
        .where('id', '!=', keep ?? '')
        .execute();
    },

    /** `userId` is empty for the settings of the whole tenant. */
    settings: (db: Reader, userId: string): Promise<{ etag: string; value: string } | undefined> =>
      db
        .selectFrom('settings')
        .select(['etag', 'value'])
        .where('tenant', '=', tenant)
        .where('user_id', '=', userId)
        .executeTakeFirst(),

    putSettings: async (tx: Transaction, userId: string, etag: string, value: string): Promise<void> => {
      await tx
        .insertInto('settings')
        .values({ tenant, user_id: userId, etag, value })
        .onConflict((conflict) => conflict.columns(['tenant', 'user_id']).doUpdateSet({ etag, value }))
        .execute();
    },
  }),
};
