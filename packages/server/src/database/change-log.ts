import type { Generated, Selectable } from 'kysely';
import type { Actor, Tenant } from '../actor.ts';
import type { Database } from './open-database.ts';
import type { Transaction } from './tables.ts';

export interface ChangeLogTables {
  change_log: {
    tenant: string;
    sequence: Generated<number>;
    /** What happened, as `<thing>.<verb>`: `device.accepted`. */
    kind: string;
    /** The id of the thing. */
    ref: string;
    /** `user:<id>`, `device:<id>` or `system:<part>`. */
    actor: string;
    time: number;
  };
}

/**
 * Notes a change in the same unit of work that makes it. Feeds the audit log, live updates, webhooks and reconcilers.
 * A reader goes on from the last it has seen, by `changesAfter`.
 */
export async function recordChange(
  tx: Transaction,
  { tenant, subject }: Actor,
  change: { kind: string; ref: string; time: number },
): Promise<void> {
  await tx
    .insertInto('change_log')
    .values({ tenant, ...change, actor: `${subject.kind}:${subject.id}` })
    .execute();
}

export type Change = Selectable<ChangeLogTables['change_log']>;

/**
 * The changes of a tenant after that sequence, in its order, at most `limit`. Going on from the last of them misses none: what is
 * not settled yet is left for the next time.
 */
export async function changesAfter(
  database: Database,
  tenant: Tenant,
  sequence: number,
  limit: number,
  signal?: AbortSignal,
): Promise<Change[]> {
  const settled = await database.settledChanges(signal);
  return database.read
    .selectFrom('change_log')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('sequence', '>', sequence)
    .where('sequence', '<=', settled)
    .orderBy('sequence')
    .limit(limit)
    .execute();
}
