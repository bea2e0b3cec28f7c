import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Clock } from '../clock.ts';
import { openSqliteDatabase, type Database } from '../database/open-database.ts';
import { openPostgresDatabase } from '../database/open-postgres-database.ts';
import { searchLimits, type SearchLimits } from '../database/search-limits.ts';
import type { Engine } from '../database/sql-differences.ts';

/**
 * What tests open instead of one of the two: SQLite, or PostgreSQL where TANDEM_TEST_POSTGRES names one. So every test that goes
 * through here holds for both; the suite server-postgres runs them once more with the variable set.
 */
export const everyDatabase = {
  engine: (): Engine => (server() === undefined ? 'sqlite' : 'postgresql'),

  /** The database of that name: what one opening has written, the next finds. The directory is for SQLite's file. */
  open: async (directory: string, clock: Clock, limits: Partial<SearchLimits> = {}): Promise<Database> => {
    const url = server();
    const all = { ...searchLimits, ...limits };
    return url === undefined
      ? openSqliteDatabase(join(directory, 'tandem.sqlite'), clock, all)
      : openPostgresDatabase(await schemaUrl(url, directory), clock, all);
  },
};

const server = (): string | undefined => process.env['TANDEM_TEST_POSTGRES'];

/** A schema of its own for each directory: as good as an empty database, and made in no time. */
async function schemaUrl(url: string, directory: string): Promise<string> {
  const schema = `t_${Buffer.from(directory).toString('hex').slice(-50)}`;
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
  } finally {
    await client.end();
  }
  const withSchema = new URL(url);
  withSchema.searchParams.set('options', `-c search_path=${schema}`);
  return withSchema.href;
}

/** A fresh one that no directory stands for: a URL for `--database`. */
export const freshPostgresUrl = (url: string): Promise<string> => schemaUrl(url, randomUUID());
