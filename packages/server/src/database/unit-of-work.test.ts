import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { defaultTenant, systemActor } from '../actor.ts';
import { recordChange } from './change-log.ts';
import { DatabaseError } from './database-error.ts';
import { everyDatabase } from '../testing/every-database.ts';
import type { Database } from './open-database.ts';
import { groupCommit } from './unit-of-work.ts';

const actor = systemActor(defaultTenant, 'test');

describe('units of work on a real database', () => {
  let directory: string;
  let database: Database;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-database-'));
    database = await everyDatabase.open(directory, Date.now);
  });
  after(async () => {
    await database.close();
    await rm(directory, { recursive: true });
  });

  const refs = async (kind: string) =>
    (
      await database.read
        .selectFrom('change_log')
        .select('ref')
        .where('kind', '=', kind)
        .orderBy('sequence')
        .execute()
    ).map(({ ref }) => ref);

  it('a failing unit undoes what it wrote and nothing of its neighbours', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) =>
        database.unitOfWork(async (tx) => {
          await recordChange(tx, actor, { kind: 'neighbours', ref: String(index), time: 1 });
          if (index % 10 === 3) throw new Error(`unit ${index}`);
          return index;
        }),
      ),
    );
    const failed = outcomes.flatMap((outcome, index) => (outcome.status === 'rejected' ? [index] : []));
    assert.deepEqual(failed, [3, 13, 23, 33, 43]);
    const stored = await refs('neighbours');
    assert.equal(stored.length, 45);
    assert.ok(!stored.includes('13'));
  });

  it('nobody is answered before the commit: a second connection sees what was acknowledged', async () => {
    const other = await everyDatabase.open(directory, Date.now);
    const written: string[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        await database.unitOfWork((tx) =>
          recordChange(tx, actor, { kind: 'acknowledged', ref: String(index), time: 1 }),
        );
        written.push(String(index));
        const before = [...written];
        const found = await other.read
          .selectFrom('change_log')
          .select('ref')
          .where('kind', '=', 'acknowledged')
          .execute();
        for (const ref of before)
          assert.ok(
            found.some((row) => row.ref === ref),
            ref,
          );
        if (everyDatabase.engine() === 'sqlite')
          assert.equal(found.length, 20, 'one commit for the whole turn');
      }),
    );
    await other.close();
  });

  it('a reader outside sees only what is committed', async () => {
    await assert.rejects(
      database.unitOfWork(async (tx) => {
        await recordChange(tx, actor, { kind: 'unseen', ref: 'x', time: 1 });
        assert.deepEqual(await refs('unseen'), []);
        throw new Error('give up');
      }),
      /give up/,
    );
    assert.deepEqual(await refs('unseen'), []);
  });

  for (const [name, value] of [
    ['a Date', new Date(0)],
    ['undefined', undefined],
    ['a plain object', { a: 1 }],
    ['NaN', Number.NaN],
    ['a boolean', true],
  ] as const) {
    it(`refuses ${name} as a value instead of storing NULL`, async () => {
      // @ts-expect-error the types refuse it as well; what is tested is the last line of defence
      const kind: string = value;
      await assert.rejects(
        database.unitOfWork((tx) =>
          tx.selectFrom('change_log').selectAll().where('kind', '=', kind).execute(),
        ),
        (error) => error instanceof DatabaseError && error.code === 'badParameter',
      );
    });
  }

  it('refuses a query of a unit that has ended', async () => {
    const leaked = await database.unitOfWork((tx) => Promise.resolve({ tx }));
    await assert.rejects(recordChange(leaked.tx, actor, { kind: 'late', ref: 'x', time: 1 }), /has ended/);
    assert.deepEqual(await refs('late'), []);
  });

  it('refuses a transaction beside the unit of work, and a write through the reader', async () => {
    await assert.rejects(
      database.read.transaction().execute(async () => undefined),
      /unitOfWork alone/,
    );
    await assert.rejects(
      database.read.insertInto('tenants').values({ id: 'x', name: 'x', created: 0 }).execute(),
      /readonly database|read-only transaction/,
    );
  });
});

describe('a commit that fails', () => {
  it('fails every unit of the group, and the next group works again', async () => {
    const statements: string[] = [];
    let open = false;
    let failures = 1;
    const group = groupCommit(
      {
        execute: (sql) => {
          statements.push(sql);
          if (sql === 'COMMIT' && failures-- > 0) throw new Error('disk full');
          if (sql === 'BEGIN IMMEDIATE') open = true;
          if (sql === 'COMMIT' || sql === 'ROLLBACK') open = false;
        },
        inTransaction: () => open,
      },
      'tx',
    );
    const first = await Promise.allSettled([1, 2].map((n) => group.unitOfWork(async () => n)));
    assert.deepEqual(
      first.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(statements.at(-1), 'ROLLBACK');
    assert.equal(await group.unitOfWork(async () => 3), 3);
    await group.close();
    await assert.rejects(
      group.unitOfWork(async () => 4),
      /closed/,
    );
  });
});
