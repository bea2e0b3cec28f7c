import type { Reader, Transaction } from '../database/tables.ts';

/** An upload whose sender said that it is there. */
export interface CompletedUpload {
  readonly tenant: string;
  readonly id: string;
  /** How often it was looked at in vain. */
  readonly attempts: number;
}

/** SQL on uploads straight into a bucket. */
export const directUploadStore = {
  forTenant: (tenant: string) => ({
    insert: (tx: Transaction, id: string, requested: number) =>
      tx
        .insertInto('direct_uploads')
        .values({ tenant, id, requested, completed: null, attempts: 0 })
        .execute(),

    get: (reader: Reader, id: string) =>
      reader
        .selectFrom('direct_uploads')
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .select(['requested', 'completed'])
        .executeTakeFirst(),

    complete: (tx: Transaction, id: string, completed: number) =>
      rowOf(tx, tenant, id).set({ completed }).execute(),

    countAttempt: (tx: Transaction, id: string, attempts: number) =>
      rowOf(tx, tenant, id).set({ attempts }).execute(),

    delete: (tx: Transaction, id: string) =>
      tx.deleteFrom('direct_uploads').where('tenant', '=', tenant).where('id', '=', id).execute(),
  }),

  /** Of all tenants, the oldest first. */
  completed: (reader: Reader): Promise<CompletedUpload[]> =>
    reader
      .selectFrom('direct_uploads')
      .where('completed', 'is not', null)
      .orderBy('completed')
      .orderBy('id')
      .limit(1000)
      .select(['tenant', 'id', 'attempts'])
      .execute(),

  /** Asked for before that time, and never completed. */
  abandoned: (reader: Reader, before: number): Promise<{ tenant: string; id: string }[]> =>
    reader
      .selectFrom('direct_uploads')
      .where('completed', 'is', null)
      .where('requested', '<', before)
      .limit(1000)
      .select(['tenant', 'id'])
      .execute(),
};

const rowOf = (tx: Transaction, tenant: string, id: string) =>
  tx.updateTable('direct_uploads').where('tenant', '=', tenant).where('id', '=', id);
