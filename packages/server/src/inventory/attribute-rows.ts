import type { Attribute, AttributeScope, AttributeValue } from '@tandem/api';
import type { Selectable } from 'kysely';
import { rfc3339 } from '../clock.ts';
import type { InventoryTables } from './inventory-tables.ts';

/** A value of an attribute as it is stored; tenant and device are added by the store. */
export type ValueRow = Omit<Selectable<InventoryTables['inventory_values']>, 'tenant' | 'device_id'>;

export interface StoredAttribute {
  readonly scope: AttributeScope;
  readonly name: string;
  readonly value: AttributeValue;
  readonly description?: string | undefined;
  /** Milliseconds; only tags have one. */
  readonly time?: number | undefined;
}

/** One row for a single value, one per element for an array, one without a value for an empty array. */
export function rowsOf({ scope, name, value, description, time }: StoredAttribute): ValueRow[] {
  const row = (element: string | number | undefined, position: number): ValueRow => ({
    scope,
    name,
    position,
    is_array: Array.isArray(value) ? 1 : 0,
    text_value: typeof element === 'string' ? element : null,
    number_value: typeof element === 'number' ? element : null,
    description: description ?? null,
    time: time ?? null,
  });
  if (!Array.isArray(value)) return [row(value, 0)];
  return value.length === 0 ? [row(undefined, 0)] : value.map(row);
}

/** Rows, in the order of scope, name and position, as attributes. */
export function attributesOf(rows: readonly ValueRow[]): StoredAttribute[] {
  const groups: ValueRow[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last?.[0]?.scope === row.scope && last[0].name === row.name) last.push(row);
    else groups.push([row]);
  }
  return groups.flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [storedAttribute(first, group)];
  });
}

function storedAttribute(first: ValueRow, group: readonly ValueRow[]): StoredAttribute {
  return {
    scope: first.scope,
    name: first.name,
    value: first.is_array === 1 ? elementsOf(group) : (first.text_value ?? first.number_value ?? ''),
    description: first.description ?? undefined,
    time: first.time ?? undefined,
  };
}

// An array is all strings or all numbers: it was checked on the way in.
function elementsOf(group: readonly ValueRow[]): string[] | number[] {
  const texts = group.flatMap(({ text_value }) => (text_value === null ? [] : [text_value]));
  return texts.length > 0
    ? texts
    : group.flatMap(({ number_value }) => (number_value === null ? [] : [number_value]));
}

/** As the API shows it (server contract 3.1). */
export const attributeView = ({ scope, name, value, description, time }: StoredAttribute): Attribute => ({
  name,
  scope,
  value,
  ...(description === undefined ? {} : { description }),
  ...(time === undefined ? {} : { timestamp: rfc3339(time) }),
});
