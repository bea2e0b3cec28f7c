export interface Column {
  readonly table: string;
  readonly name: string;
  /** As either engine calls it. */
  readonly type: string;
}

const tenant = '000000000000000000000001';

/**
 * A row for each table, in the order in which they are given: with the same values everywhere, so that each row refers to one
 * that is there. For tests of migrations, which must leave such rows alone.
 */
export function oneRowEverywhere(columns: readonly Column[]): readonly { table: string; sql: string }[] {
  const tables = Map.groupBy(
    columns.filter(({ table, name }) => table !== 'migrations' && name !== 'sequence'),
    ({ table }) => table,
  );
  return [...tables].map(([table, own]) => ({
    table,
    sql: `INSERT INTO ${table} (${own.map(({ name }) => name).join(', ')}) VALUES (${own.map(literal).join(', ')})`,
  }));
}

function literal({ name, type }: Column): string {
  if (name === 'tenant') return `'${tenant}'`;
  if (name === 'status') return "'accepted'";
  return /text/i.test(type) ? "'x'" : '1';
}
