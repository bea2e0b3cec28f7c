import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Clock } from '../clock.ts';
import { migrations } from '../database/migrations/index.ts';
import type { Database } from '../database/open-database.ts';
import type { Log } from '../log.ts';
import type { ObjectStorage } from '../object-storage/object-storage.ts';

/** What the server cannot do without, by the names `/ready` tells. */
export const partsOfServer = ['database', 'migrations', 'storage'] as const;
export type PartOfServer = (typeof partsOfServer)[number];

interface ReadinessNeeds {
  readonly database: Pick<Database, 'read'>;
  readonly objectStorage: Pick<ObjectStorage, 'put' | 'delete'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The part that takes longer does not work. */
const limitMs = 2000;
/** Anybody may ask: the storage is written to once in so long. */
const keptMs = 5000;

/** Returns the parts that do not work, found out at most five seconds ago; it takes at most two. Why is told in the log alone. */
export function readiness(needs: ReadinessNeeds): () => Promise<readonly PartOfServer[]> {
  let last: readonly PartOfServer[] = [];
  let lookedAt = -Infinity;
  let looking: Promise<readonly PartOfServer[]> | undefined;

  const look = async () => {
    const found = await Promise.all(
      partsOfServer.map(async (part) => {
        const fault = await faultOf(part, needs);
        if (fault !== undefined) needs.log('error', `not ready: ${part}`, { cause: fault });
        return fault === undefined ? [] : [part];
      }),
    );
    last = found.flat();
    lookedAt = needs.clock();
    return last;
  };

  return async () => {
    if (needs.clock() - lookedAt < keptMs) return last;
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
}

async function faultOf(part: PartOfServer, needs: ReadinessNeeds): Promise<string | undefined> {
  const giveUp = new AbortController();
  try {
    return await Promise.race([
      checks[part](needs, giveUp.signal),
      wait(limitMs, `no answer within ${limitMs} ms`, { signal: giveUp.signal }),
    ]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    giveUp.abort();
  }
}

/** Each resolves with what is wrong, or throws. */
const checks: Readonly<
  Record<PartOfServer, (needs: ReadinessNeeds, signal: AbortSignal) => Promise<string | undefined>>
> = {
  database: async ({ database }) => {
    await database.read.selectFrom('tenants').select('id').limit(1).execute();
    return undefined;
  },
  // Another server may have gone on with the same PostgreSQL since this one started, which is well; or gone back.
  migrations: async ({ database }) => {
    const { rows } = await sql<{ applied: number }>`SELECT max(number) AS applied FROM migrations`.execute(
      database.read,
    );
    const applied = Number(rows[0]?.applied ?? 0);
    return applied >= migrations.length ? undefined : `${applied} of ${migrations.length} are applied`;
  },
  storage: async ({ objectStorage }, signal) => {
    const key = { tenant: 'ready', id: randomUUID() };
    await objectStorage.put(key, oneByte(), { sizeBytes: 1, signal });
    await objectStorage.delete(key);
    return undefined;
  },
};

async function* oneByte(): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(0);
}
