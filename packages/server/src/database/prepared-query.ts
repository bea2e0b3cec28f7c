import { sql, type Compilable, type CompiledQuery, type DatabaseConnection, type RawBuilder } from 'kysely';
import type { Reader } from './tables.ts';

type Value = string | number | null;

/** Stands for a value in a query until it is run. */
class Slot {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/**
 * A query that is written once and only run afterwards: for what every poll of every device asks. `build` gets a place holder
 * for each value; the text is made on first use of a connection.
 */
export function preparedQuery<P extends Readonly<Record<string, Value>>, R>(
  build: (reader: Reader, value: <K extends keyof P & string>(name: K) => RawBuilder<P[K]>) => Compilable<R>,
): (reader: Reader, values: P) => Promise<R[]> {
  const compiled = new WeakMap<Reader, CompiledQuery<R>>();
  const compile = (reader: Reader): CompiledQuery<R> => {
    const query = build(reader, (name) => sql`${new Slot(name)}`).compile();
    compiled.set(reader, query);
    return query;
  };
  return async (reader: Reader & { readonly [direct]?: DatabaseConnection }, values) => {
    const { sql: text, query, queryId, parameters: slots } = compiled.get(reader) ?? compile(reader);
    const parameters = slots.map((one) => (one instanceof Slot ? values[one.name] : one));
    const filled = { sql: text, query, queryId, parameters };
    return (await (reader[direct]?.executeQuery<R>(filled) ?? reader.executeQuery<R>(filled))).rows;
  };
}

const direct = Symbol('the connection of a reader');

/**
 * Prepared queries of this reader go straight to its connection, past what Kysely does for queries in general: that takes as long as
 * to look up a row. For engines with one connection only.
 */
export const queriedDirectly = (reader: Reader, connection: DatabaseConnection): Reader =>
  Object.assign(reader, { [direct]: connection });
