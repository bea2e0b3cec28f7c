import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { defaultTenant, systemActor } from '../actor.ts';
import { changesAfter, recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import { openPostgresDatabase } from '../database/open-postgres-database.ts';
import { freshPostgresUrl } from '../testing/every-database.ts';
import { startPostgres, type RunningPostgres } from '../testing/start-postgres.ts';

const actor = systemActor(defaultTenant, 'test');

let postgres: RunningPostgres;
/** Two servers' view of one database. */
let databases: readonly [Database, Database];
before(async () => {
  postgres = await startPostgres();
  const url = await freshPostgresUrl(postgres.url);
  // At once, since two servers may be started at once: the schema is made by one of them.
  databases = await Promise.all([openPostgresDatabase(url, Date.now), openPostgresDatabase(url, Date.now)]);
});
after(async () => {
  for (const database of databases) await database.close();
  await postgres.stop();
});

describe('units of work of two servers', () => {
  it('lose no update, though each decides by what it has read', async () => {
    const [first] = databases;
    await first.unitOfWork((tx) =>
      tx.insertInto('device_limits').values({ tenant: defaultTenant, name: 'counter', value: 0 }).execute(),
    );
    const increments = 100;
    await Promise.all(
      Array.from({ length: increments }, (_, index) =>
        databases[index % 2 === 0 ? 0 : 1].unitOfWork(async (tx) => {
          const { value } = await tx
            .selectFrom('device_limits')
            .select('value')
            .where('name', '=', 'counter')
            .executeTakeFirstOrThrow();
          await tx
            .updateTable('device_limits')
            .set({ value: value + 1 })
            .where('name', '=', 'counter')
            .execute();
        }),
      ),
    );
    const { value } = await first.read
      .selectFrom('device_limits')
      .select('value')
      .where('name', '=', 'counter')
      .executeTakeFirstOrThrow();
    assert.equal(value, increments);
  });

  it('make a thing once that both found missing', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        databases[index % 2 === 0 ? 0 : 1].unitOfWork(async (tx) => {
          const found = await tx
            .selectFrom('device_limits')
            .select('value')
            .where('name', '=', 'made once')
            .executeTakeFirst();
          if (found !== undefined) return false;
          await tx
            .insertInto('device_limits')
            .values({ tenant: defaultTenant, name: 'made once', value: 1 })
            .execute();
          return true;
        }),
      ),
    );
    assert.equal(made.filter(Boolean).length, 1);
  });

  it('cannot pass a failed query over in silence', async () => {
    await assert.rejects(
      databases[0].unitOfWork(async (tx) => {
        await recordChange(tx, actor, { kind: 'swallowed', ref: 'x', time: 1 });
        await tx
          .insertInto('tenants')
          .values({ id: defaultTenant, name: 'again', created: 0 })
          .execute()
          .catch(() => undefined);
      }),
      { code: 'notCommitted', message: /went on after a query had failed \(23505\)/ },
    );
  });

  it('refuse texts that PostgreSQL cannot hold, as a fault of the text', async () => {
    const text = 'a\0b';
    await assert.rejects(
      databases[0].unitOfWork((tx) => recordChange(tx, actor, { kind: text, ref: 'x', time: 1 })),
      { code: 'unstorableText', message: /U\+0000/ },
    );
  });
});

describe('the change log', () => {
  it('shows a reader who goes on from the last it saw every change, whatever order they are committed in', async () => {
    const start = await databases[0].settledChanges();
    const total = 120;
    const seen: string[] = [];
    const reading = (async () => {
      let last = start;
      const end = Date.now() + 30_000;
      while (seen.length < total && Date.now() < end) {
        const changes = await changesAfter(databases[1], defaultTenant, last, 7);
        seen.push(...changes.filter(({ kind }) => kind === 'ordered').map(({ ref }) => ref));
        last = changes.at(-1)?.sequence ?? last;
      }
    })();
    await Promise.all(
      Array.from({ length: total }, (_, index) =>
        databases[index % 2 === 0 ? 0 : 1].unitOfWork(async (tx) => {
          await recordChange(tx, actor, { kind: 'ordered', ref: String(index), time: 1 });
          // Who has the smaller number is often the later to commit.
          await wait(Math.random() * 30);
        }),
      ),
    );
    await reading;
    assert.equal(new Set(seen).size, total, 'nothing is missing');
    assert.equal(seen.length, total, 'and nothing comes twice');
  });

  it('waits for a unit that has its number and is not committed', async () => {
    const before = await databases[0].settledChanges();
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const { promise: written, resolve: hasWritten } = Promise.withResolvers<void>();
    const slow = databases[0].unitOfWork(async (tx) => {
      await recordChange(tx, actor, { kind: 'slow', ref: 'slow', time: 1 });
      hasWritten();
      await mayEnd;
    });
    await written;
    await databases[1].unitOfWork((tx) => recordChange(tx, actor, { kind: 'fast', ref: 'fast', time: 1 }));
    const asked = changesAfter(databases[1], defaultTenant, before, 10);
    await wait(50);
    end();
    await slow;
    assert.deepEqual(
      (await asked).map(({ ref }) => ref),
      ['slow', 'fast'],
    );
  });

  it('gives up waiting when it is told to', async () => {
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const { promise: begun, resolve: hasBegun } = Promise.withResolvers<void>();
    const slow = databases[0].unitOfWork(async (tx) => {
      await recordChange(tx, actor, { kind: 'endless', ref: 'x', time: 1 });
      hasBegun();
      await mayEnd;
    });
    await begun;
    try {
      await assert.rejects(databases[1].settledChanges(AbortSignal.timeout(30)), { name: /Timeout|Abort/ });
    } finally {
      end();
      await slow;
    }
  });
});

describe('a database that cannot be used', () => {
  it('is named without the password', async () => {
    const url = new URL(postgres.url);
    url.password = 'hush-hush';
    url.pathname = '/missing';
    await assert.rejects(openPostgresDatabase(url.href, Date.now), (error) => {
      assert.ok(error instanceof Error && error.cause instanceof Error);
      assert.match(error.message, /postgres:\/\/127\.0\.0\.1:\d+\/missing cannot be used/);
      assert.match(error.cause.message, /does not exist/);
      assert.ok(!`${error.stack}${error.cause.stack}`.includes('hush'));
      return true;
    });
  });
});
