import type { Generated } from 'kysely';
import type { Actor } from '../actor.ts';
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
 * With one writer the sequence is in commit order and has no gaps that fill later: a reader may go on from the last it has seen.
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
