import { sql, type Compilable, type RawBuilder } from 'kysely';
import type { Soon } from '../soon.ts';
import type { Reader } from './tables.ts';

type Value = string | number | null;

/** Stands for a value in a query until it is run. */
class Slot {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** What a query is given in place of a value; the value comes when it is run. */
export type Placeholders<P> = <K extends keyof P & string>(name: K) => RawBuilder<P[K]>;

/**
 * A query that is written once and only run afterwards: for what every poll of every device asks. `build` gets a place holder
 * for each value; the text is made on first use of a connection. Its rows are there at once where the engine is in this process.
 */
export function preparedQuery<P extends Readonly<Record<string, Value>>, R>(
  build: (reader: Reader, value: Placeholders<P>) => Compilable<R>,
): (reader: Reader, values: P) => Soon<R[]> {
  const runs = new WeakMap<Reader, (values: P) => Soon<R[]>>();
  const prepare = (reader: ReaderOfOne): ((values: P) => Soon<R[]>) => {
    const query = build(reader, (name) => sql`${new Slot(name)}`).compile();
    const filled = (values: P) =>
      query.parameters.map((one) => (one instanceof Slot ? values[one.name] : one));
    const runHere = reader[direct]?.<R>(query.sql);
    const run =
      runHere === undefined
        ? async (values: P) => (await reader.executeQuery<R>({ ...query, parameters: filled(values) })).rows
        : (values: P) => runHere(filled(values));
    runs.set(reader, run);
    return run;
  };
  return (reader, values) => (runs.get(reader) ?? prepare(reader))(values);
}

/** Compiles a statement; what it gives runs it with the values of its parameters. */
export type Prepare = <R>(sql: string) => (parameters: readonly unknown[]) => R[];

const direct = Symbol('how a reader compiles');
type ReaderOfOne = Reader & { readonly [direct]?: Prepare };

/**
 * Prepared queries of this reader are compiled by its connection and run on it, past what Kysely does for queries in general: that
 * takes as long as to look up a row. For engines with one connection only.
 */
export const queriedDirectly = (reader: Reader, prepare: Prepare): Reader =>
  Object.assign(reader, { [direct]: prepare });
