import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Pool } from 'pg';
import { migrations } from '../database/migrations/index.ts';
import { migratePostgres } from '../database/postgres-migrate.ts';
import { freshPostgresUrl } from '../testing/every-database.ts';
import { oneRowEverywhere, type Column } from '../testing/one-row-everywhere.ts';
import { startPostgres, type RunningPostgres } from '../testing/start-postgres.ts';

let postgres: RunningPostgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.stop());

async function onFreshSchema<R>(work: (pool: Pool) => Promise<R>): Promise<R> {
  const pool = new Pool({ connectionString: await freshPostgresUrl(postgres.url) });
  // It does not wait for the goodbye of its connections, which the end of the server may forestall.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', () => undefined);
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}

async function columnsOf(pool: Pool): Promise<Column[]> {
  const { rows } = await pool.query<Column>(`
    SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.oid, a.attnum`);
  return rows;
}

/** Columns with their collations, constraints and indexes. */
async function schemaOf(pool: Pool): Promise<unknown> {
  const { rows: columns } = await pool.query(`
    SELECT table_name, column_name, data_type, collation_name, is_nullable, is_identity
    FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2`);
  const { rows: constraints } = await pool.query(`
    SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS text
    FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2`);
  const { rows: indexes } = await pool.query(`
    SELECT tablename, replace(indexdef, schemaname || '.', '') AS text
    FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2`);
  return { columns, constraints, indexes };
}

const fromTheStart = () =>
  onFreshSchema(async (pool) => {
    await migratePostgres(pool, 0);
    return schemaOf(pool);
  });

describe('migrations on PostgreSQL', () => {
  for (let version = 1; version < migrations.length; version += 1) {
    it(`bring version ${version} up to date and leave what it stored alone`, async () => {
      await onFreshSchema(async (pool) => {
        await migratePostgres(pool, 0, migrations.slice(0, version));
        const rows = oneRowEverywhere(await columnsOf(pool));
        for (const { sql } of rows) await pool.query(sql);
        const names = await migratePostgres(pool, 0);
        assert.deepEqual(
          names,
          migrations.slice(version).map(({ name }) => name),
        );
        for (const { table } of rows) {
          const { rowCount } = await pool.query(`SELECT * FROM ${table}`);
          assert.ok((rowCount ?? 0) >= 1, table);
        }
        assert.deepEqual(await schemaOf(pool), await fromTheStart());
      });
    });
  }

  it('compare every text by its bytes: chunks of sorted ids are looked up by comparison', async () => {
    await onFreshSchema(async (pool) => {
      await migratePostgres(pool, 0);
      const { rows } = await pool.query(`
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'`);
      assert.deepEqual(rows, []);
    });
  });

  it('that fail leave nothing of themselves, and those of a newer server are refused', async () => {
    await onFreshSchema(async (pool) => {
      const broken = {
        name: 'broken',
        sql: 'CREATE TABLE half (id TEXT) STRICT; CREATE TABLE half (id TEXT) STRICT',
      };
      await assert.rejects(migratePostgres(pool, 0, [...migrations, broken]), {
        code: 'failed',
        message: /"broken"/,
      });
      assert.ok(!(await columnsOf(pool)).some(({ table }) => table === 'half'));
      const future = { name: 'from the future', sql: 'CREATE TABLE future (id TEXT) STRICT' };
      await migratePostgres(pool, 0, [...migrations, future]);
      await assert.rejects(migratePostgres(pool, 0), { code: 'newerSchema', message: /from the future/ });
    });
  });

  it('are run once by servers that start together', async () => {
    await onFreshSchema(async (pool) => {
      const done = await Promise.all([1, 2, 3].map(() => migratePostgres(pool, 0)));
      assert.deepEqual(done.flat().toSorted(), migrations.map(({ name }) => name).toSorted());
    });
  });
});
