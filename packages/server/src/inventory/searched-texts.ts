import { sql } from 'kysely';
import type { Tenant } from '../actor.ts';
import { preparedQuery } from '../database/prepared-query.ts';
import { contains, stillWanted, type Engine } from '../database/sql-differences.ts';
import type { Condition } from './device-set.ts';

/*
 * What free text is searched in: the id of a device, its group, and its texts of identity, inventory and tags, each a line of one row.
 * To look for a word through all devices is then to read a tenth of what their attributes take.
 */

const maxWords = 8;
const lineEnd = '\n';

// `format` ends a text at a NUL, as SQLite's LIKE does: it must not hide the lines below. PostgreSQL stores none.
const texts = sql<string>`device.id || ${sql.lit(lineEnd)} || coalesce((
  SELECT string_agg(format('%s', v.text_value), ${sql.lit(lineEnd)}) FROM inventory_values AS v
  WHERE v.tenant = device.tenant AND v.device_id = device.id AND v.text_value IS NOT NULL
    AND (v.scope IN ('identity', 'inventory', 'tags') OR (v.scope = 'system' AND v.name = 'group'))
), '')`;

/** After every write of what is searched, in the same unit of work. Nothing for a device that the inventory does not know. */
export const writeSearchedTexts = preparedQuery<{ tenant: string; deviceId: string }, unknown>((tx, value) =>
  tx
    .insertInto('inventory_texts')
    .columns(['tenant', 'device_id', 'texts'])
    .expression((from) =>
      from
        .selectFrom('inventory_devices as device')
        .where('device.tenant', '=', value('tenant'))
        .where('device.id', '=', value('deviceId'))
        .select(['device.tenant', 'device.id', texts.as('texts')]),
    )
    .onConflict((known) =>
      known
        .columns(['tenant', 'device_id'])
        .doUpdateSet({ texts: (row) => row.ref('excluded.texts') })
        .whereRef('inventory_texts.texts', '<>', sql.ref('excluded.texts')),
    ),
);

/** The words of a free text, as they are looked for: of letters and digits alone, so that none is found across two lines. */
export const wordsOf = (text: string): string[] =>
  text
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .slice(0, maxWords);

/** The devices in whose texts some of the words is found, whatever the case of ASCII letters. */
export function hasSomeWord(engine: Engine, tenant: Tenant, words: readonly string[]): Condition {
  const texts = sql.ref('inventory_texts.texts');
  return {
    ids: sql`SELECT inventory_texts.device_id AS id FROM inventory_texts
      WHERE inventory_texts.tenant = ${tenant} AND ${stillWanted(engine)} AND (${sql.join(
        words.map((word) => contains(engine, texts, word)),
        sql` OR `,
      )})`,
    holds: true,
    isSorted: true,
  };
}
