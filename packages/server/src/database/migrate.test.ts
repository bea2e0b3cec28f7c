import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { migrate } from './migrate.ts';
import { migrations } from './migrations/index.ts';

const snapshot = new URL('schema-snapshot.sql', import.meta.url);

const schemaOf = (sqlite: DatabaseSync): string =>
  sqlite
    .prepare(
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name",
    )
    .all()
    .map(({ sql }) => `${String(sql).replaceAll(/^ {4}/gm, '')};\n`)
    .join('\n');

describe('migrations', () => {
  it('replayed from the start give the schema that is written down', async () => {
    const sqlite = new DatabaseSync(':memory:');
    assert.equal(migrate(sqlite, 0).length, migrations.length);
    const schema = schemaOf(sqlite);
    // A new migration changes the snapshot: write it with this variable set, and look at the difference.
    if (process.env['TANDEM_WRITE_SNAPSHOTS'] === '1') await writeFile(snapshot, schema);
    assert.equal(schema, await readFile(snapshot, 'utf8'));
    assert.deepEqual(migrate(sqlite, 0), [], 'a second time there is nothing to do');
  });

  it("have different names, and a tenant first in every primary key of a tenant's table", () => {
    assert.equal(new Set(migrations.map(({ name }) => name)).size, migrations.length);
    const sqlite = new DatabaseSync(':memory:');
    migrate(sqlite, 0);
    const tables = sqlite
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    for (const { name } of tables) {
      if (name === 'tenants' || name === 'migrations') continue;
      const columns = sqlite
        .prepare('SELECT name, "notnull", pk FROM pragma_table_info(?)')
        .all(String(name));
      const tenant = columns.find((column) => column['name'] === 'tenant');
      assert.ok(tenant !== undefined, `${String(name)} has no tenant`);
    }
  });

  it('refuse data of a newer server, and leave it alone', () => {
    const sqlite = new DatabaseSync(':memory:');
    migrate(sqlite, 0, [
      ...migrations,
      { name: 'from the future', sql: 'CREATE TABLE future (id TEXT) STRICT' },
    ]);
    assert.throws(() => migrate(sqlite, 0), { code: 'newerSchema', message: /from the future/ });
  });

  it('that fail leave nothing of themselves', () => {
    const sqlite = new DatabaseSync(':memory:');
    const broken = {
      name: 'broken',
      sql: 'CREATE TABLE half (id TEXT) STRICT; CREATE TABLE half (id TEXT) STRICT',
    };
    assert.throws(() => migrate(sqlite, 0, [...migrations, broken]), { code: 'failed', message: /"broken"/ });
    assert.ok(!schemaOf(sqlite).includes('half'));
    assert.deepEqual(migrate(sqlite, 0), []);
  });
});
