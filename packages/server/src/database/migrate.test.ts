import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { migrate } from './migrate.ts';
import { oneRowEverywhere } from '../testing/one-row-everywhere.ts';
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

const columnsOf = (sqlite: DatabaseSync) =>
  sqlite
    .prepare(
      `SELECT t.name AS "table", c.name, c.type FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
       WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.rowid, c.cid`,
    )
    .all()
    .map((row) => ({ table: String(row['table']), name: String(row['name']), type: String(row['type']) }));

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

  for (let version = 1; version < migrations.length; version += 1) {
    it(`bring version ${version} up to date while it is in use, and leave what it stored alone`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'tandem-migrate-'));
      const path = join(directory, 'tandem.sqlite');
      const old = new DatabaseSync(path);
      old.exec('PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON');
      migrate(old, 0, migrations.slice(0, version));
      const rows = oneRowEverywhere(columnsOf(old));
      for (const { sql } of rows) old.exec(sql);
      // What the server of that version has compiled and goes on using; columns that come later are none of its business.
      const columns = Map.groupBy(columnsOf(old), ({ table }) => table);
      const reading = rows.map(({ table }) => {
        const names = columns.get(table)?.map(({ name }) => `"${name}"`) ?? [];
        return old.prepare(`SELECT ${names.join(', ')} FROM ${table}`);
      });
      const before = reading.map((statement) => statement.all());

      const sqlite = new DatabaseSync(path);
      assert.deepEqual(
        migrate(sqlite, 0),
        migrations.slice(version).map(({ name }) => name),
      );
      assert.equal(schemaOf(sqlite), await readFile(snapshot, 'utf8'));
      assert.deepEqual(sqlite.prepare('PRAGMA foreign_key_check').all(), []);
      assert.deepEqual(
        reading.map((statement) => statement.all()),
        before,
      );
      old.exec("INSERT INTO tenants (id, name, created) VALUES ('later', 'later', 1)");
      sqlite.close();
      old.close();
      await rm(directory, { recursive: true });
    });
  }

  it('give each device that was accepted before there were configurations its own', () => {
    const sqlite = new DatabaseSync(':memory:');
    migrate(sqlite, 0, migrations.slice(0, 6));
    for (const { sql } of oneRowEverywhere(columnsOf(sqlite))) sqlite.exec(sql);
    migrate(sqlite, 0);
    assert.deepEqual(
      sqlite
        .prepare('SELECT device_id, configured FROM device_configurations')
        .all()
        .map((row) => ({ ...row })),
      [{ device_id: 'x', configured: '{}' }],
    );
  });

  it('let what devices had told before be found by its words', () => {
    const sqlite = new DatabaseSync(':memory:');
    migrate(sqlite, 0, migrations.slice(0, 12));
    for (const { sql } of oneRowEverywhere(columnsOf(sqlite))) sqlite.exec(sql);
    const value = sqlite.prepare(`
      INSERT INTO inventory_values (tenant, device_id, scope, name, position, is_array, text_value)
        SELECT tenant, id, ?, ?, 0, 0, ? FROM inventory_devices
    `);
    value.run('tags', 'place', 'attic\0more');
    value.run('system', 'group', 'museum');
    value.run('system', 'updated_ts', 'today');
    migrate(sqlite, 0);
    const [{ texts } = {}] = sqlite.prepare('SELECT texts FROM inventory_texts').all();
    assert.deepEqual(String(texts).split('\n').toSorted(), ['attic', 'museum', 'x']);
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
