import { DatabaseError } from './database-error.ts';

/**
 * A value that may be bound to a query. A driver that is given a Date or a plain object stores NULL or some text of its own
 * choice without an error, so that anything but the engines' common types is refused. Throws a DatabaseError `badParameter`.
 */
export function boundValue(
  value: unknown,
  position: number,
  sql: string,
): string | number | bigint | null | Uint8Array {
  if (
    value === null ||
    typeof value === 'string' ||
    typeof value === 'bigint' ||
    value instanceof Uint8Array
  ) {
    return value;
  }
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  const found = typeof value === 'number' || typeof value === 'undefined' ? String(value) : typeName(value);
  throw new DatabaseError(
    'badParameter',
    `parameter ${position + 1} of "${sql}" is ${found}: give a string, a finite number, null or bytes`,
  );
}

const typeName = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? (Object.getPrototypeOf(value)?.constructor?.name ?? 'object')
    : typeof value;
