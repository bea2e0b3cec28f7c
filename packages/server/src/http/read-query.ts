import type { TObject, TSchema } from 'typebox';
import { ServerError } from '../server-error.ts';

/**
 * A query as its schema wants it: numbers and booleans out of text, a list where the key may be repeated. What the schema does not
 * name is kept as text when it allows further keys, and left out otherwise. Bounds of numbers are checked here, with the
 * reference's own texts (server contract 1.5); everything else is left to the schema.
 * Throws `badRequest`.
 */
export function readQuery(search: URLSearchParams, schema: TObject): Record<string, unknown> {
  const query: Record<string, unknown> = {};
  for (const key of search.keys()) {
    if (Object.hasOwn(query, key)) continue;
    const property = schema.properties[key];
    const values = search.getAll(key);
    if (property !== undefined) {
      query[key] = isKind(property, 'array') ? values : single(key, values[0] ?? '', property);
    } else if ('additionalProperties' in schema && schema.additionalProperties !== false) {
      query[key] = values;
    }
  }
  return query;
}

function single(key: string, value: string, schema: TSchema): unknown {
  if (isKind(schema, 'integer')) return integer(key, value, schema);
  if (isKind(schema, 'boolean')) {
    if (value === 'true' || value === 'false') return value === 'true';
    throw new ServerError('badRequest', `invalid ${key} query: "${value.slice(0, 64)}"`);
  }
  return value;
}

function integer(key: string, value: string, schema: TSchema): number {
  const number = /^-?[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
  if (number === undefined)
    throw new ServerError('badRequest', `invalid ${key} query: "${value.slice(0, 64)}"`);
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
  if (minimum !== undefined && number < minimum) {
    throw new ServerError('badRequest', `invalid ${key} query: value must be a non-zero positive integer`);
  }
  if (maximum !== undefined && number > maximum) {
    throw new ServerError('badRequest', `parameter "${key}" above limit (max: ${maximum})`);
  }
  return number;
}

const isKind = (schema: TSchema, type: string): boolean => 'type' in schema && schema.type === type;
