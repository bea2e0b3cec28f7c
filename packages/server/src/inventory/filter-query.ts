import { attributeScopes, filterOperators, type AttributeScope, type FilterOperator } from '@tandem/api';
import { sql, type RawBuilder, type SqlBool } from 'kysely';
import type { Tenant } from '../actor.ts';
import {
  isNumberIn,
  isText,
  isTextIn,
  matches,
  sortsByKey,
  stillWanted,
  type Engine,
} from '../database/sql-differences.ts';
import { ServerError } from '../server-error.ts';
import { devicesThat, either, not, type Condition } from './device-set.ts';

/** A term of a filter, checked. */
export type Term = { readonly scope: AttributeScope; readonly attribute: string } & Comparison;

type Comparison =
  | {
      readonly operator: '$eq' | '$ne' | '$gt' | '$gte' | '$lt' | '$lte' | '$ltne';
      readonly value: string | number;
    }
  | { readonly operator: '$in' | '$nin'; readonly value: readonly (string | number)[] }
  | { readonly operator: '$exists'; readonly value: boolean }
  | { readonly operator: '$regex'; readonly value: string };

const sqlOperators = {
  $gt: sql`>`,
  $gte: sql`>=`,
  $lt: sql`<`,
  $lte: sql`<=`,
} as const;

/** Throws `badRequest` in the reference's words (server contract 3.4). */
export function readTerm(given: { scope: string; attribute: string; type: string; value: unknown }): Term {
  const { attribute } = given;
  const scope = readScope(given.scope);
  const operator = filterOperators.find((known) => known === given.type);
  if (operator === undefined) {
    throw new ServerError('badRequest', `type: must be one of ${filterOperators.join(', ')}.`);
  }
  return { scope, attribute, ...readComparison(operator, given.value) };
}

export function readScope(given: string): AttributeScope {
  const scope = attributeScopes.find((known) => known === given);
  if (scope !== undefined) return scope;
  throw new ServerError('badRequest', 'scope: must be one of system, identity, inventory, monitor, tags.');
}

function readComparison(operator: FilterOperator, value: unknown): Comparison {
  switch (operator) {
    case '$exists':
      if (typeof value === 'boolean') return { operator, value };
      break;
    case '$in':
    case '$nin':
      if (Array.isArray(value) && value.length <= 10_000 && value.every(isValue)) return { operator, value };
      break;
    case '$regex':
      if (typeof value === 'string') return { operator, value: checkedPattern(value) };
      break;
    case '$eq':
    case '$ne':
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
    case '$ltne':
      if (isValue(value)) return { operator, value };
  }
  throw new ServerError('badRequest', `value: does not go with ${operator}.`);
}

const isValue = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number';

function checkedPattern(pattern: string): string {
  try {
    return new RegExp(pattern).source && pattern;
  } catch (cause) {
    throw new ServerError('badRequest', 'value: is not a regular expression.', { cause });
  }
}

/**
 * A term as a condition on a device. Semantics are those of the reference's database: an array matches when any element does,
 * numbers are compared with numbers and texts with texts, and `$ne`, `$nin` hold where the attribute is missing. `$regex` is for
 * `Database.search` alone: a pattern may take for ever.
 */
export function condition(engine: Engine, tenant: Tenant, term: Term): Condition {
  const some = (compare: RawBuilder<SqlBool>) => devicesWith(engine, tenant, term, compare);
  switch (term.operator) {
    case '$eq':
      return { ...some(isEqual(engine, term, term.value)), isSorted: sortsByKey(engine) };
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return some(sql<SqlBool>`${column(term)} ${sqlOperators[term.operator]} ${term.value}`);
    case '$ne':
      return not({ ...some(isEqual(engine, term, term.value)), isSorted: sortsByKey(engine) });
    case '$ltne':
      return either(
        tenant,
        some(sql<SqlBool>`${column(term)} < ${term.value}`),
        not(some(sql<SqlBool>`1 = 1`)),
      );
    case '$in':
      return some(isIn(engine, term, term.value));
    case '$nin':
      return not(some(isIn(engine, term, term.value)));
    case '$exists':
      return term.value ? some(sql<SqlBool>`1 = 1`) : not(some(sql<SqlBool>`1 = 1`));
    case '$regex':
      return some(matches(engine, column(term), term.value));
  }
}

/** Whether the device's id is one of these. */
export const isOneOf = (engine: Engine, tenant: Tenant, ids: readonly string[]): Condition =>
  devicesThat(tenant, [isTextIn(engine, deviceId, ids)]);

const deviceId = sql.ref('inventory_devices.id');

const isId = ({ scope, attribute }: Pick<Term, 'scope' | 'attribute'>) =>
  scope === 'identity' && attribute === 'id';

const column = (term: Term): RawBuilder<unknown> => {
  if (isId(term)) return deviceId;
  return typeof term.value === 'number' ? sql.ref('v.number_value') : sql.ref('v.text_value');
};

function devicesWith(engine: Engine, tenant: Tenant, term: Term, compare: RawBuilder<SqlBool>): Condition {
  if (isId(term)) return devicesThat(tenant, [compare]);
  return {
    ids: sql`SELECT v.device_id AS id FROM inventory_values AS v
      WHERE v.tenant = ${tenant} AND v.scope = ${term.scope} AND v.name = ${term.attribute}
        AND ${stillWanted(engine)} AND ${compare}`,
    holds: true,
    isSorted: false,
  };
}

function isEqual(engine: Engine, term: Term, value: string | number): RawBuilder<SqlBool> {
  return typeof value === 'string' && !isId(term)
    ? isText(engine, value)
    : sql<SqlBool>`${column(term)} = ${isId(term) ? String(value) : value}`;
}

function isIn(engine: Engine, term: Term, values: readonly (string | number)[]): RawBuilder<SqlBool> {
  const texts = values.filter((value) => typeof value === 'string');
  const numbers = values.filter((value) => typeof value === 'number');
  if (isId(term)) return isTextIn(engine, deviceId, texts);
  const isTextOfThese = isTextIn(engine, sql.ref('v.text_value'), texts);
  return numbers.length === 0
    ? isTextOfThese
    : sql<SqlBool>`(${isTextOfThese} OR ${isNumberIn(engine, sql.ref('v.number_value'), numbers)})`;
}
