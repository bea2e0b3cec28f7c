import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteDatabase } from './open-database.ts';
import { readSnapshot } from './read-snapshot.ts';

test('a read sees what was answered as stored, in the same turn too, and what others stored soon after', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-snapshot-'));
  const path = join(directory, 'tandem.sqlite');
  const database = await openSqliteDatabase(path, Date.now);
  const names = async () =>
    (await database.read.selectFrom('tenants').select('name').orderBy('id').execute()).map(
      ({ name }) => name,
    );
  try {
    const before = await names();
    const stored = database.unitOfWork((tx) =>
      tx.insertInto('tenants').values({ id: 'a', name: 'first', created: 1 }).execute(),
    );
    assert.deepEqual(await names(), before, 'not before it is committed');
    await stored;
    assert.deepEqual(await names(), [...before, 'first']);

    const other = new DatabaseSync(path);
    await names();
    other.exec("INSERT INTO tenants (id, name, created) VALUES ('b', 'second', 1)");
    assert.deepEqual(await names(), [...before, 'first'], 'one state in one turn');
    await wait(50);
    assert.deepEqual(await names(), [...before, 'first', 'second']);
    other.close();
  } finally {
    await database.close();
    await rm(directory, { recursive: true });
  }
});

test('a read that failed, and ended the transaction of all, does not fail whoever reads next', () => {
  const sqlite = new DatabaseSync(':memory:');
  const deferred: (() => void)[] = [];
  const { begin, end } = readSnapshot(sqlite, (run) => void deferred.push(run));
  begin();
  // As the engine does by itself when a page cannot be read.
  sqlite.exec('ROLLBACK');
  deferred.shift()?.();
  begin();
  assert.ok(sqlite.isTransaction);
  end();
  assert.ok(!sqlite.isTransaction);
  sqlite.close();
});
