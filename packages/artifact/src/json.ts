import { ArtifactError } from './errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Parses a whole member as one JSON value. Throws `ArtifactError` with `code`, naming `member`. */
export function parseJson(
  bytes: Uint8Array,
  member: string,
  code: 'malformedVersion' | 'malformedHeader',
): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as Json;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ArtifactError(code, `not valid JSON: ${reason}`, { member, cause });
  }
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isStringList(value: Json | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/**
 * JSON as the reference writes it, so that equal contents are equal bytes: compact, no newline, `<`, `>`, `&` and the two
 * Unicode line separators escaped. Key order is the caller's; `sortKeys` gives that of a map.
 */
export function encodeJson(value: unknown): Uint8Array {
  const escaped = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Buffer.from(escaped);
}

/** The same value with the keys of all objects in bytewise order. */
export function sortKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => sortKeys(item));
  if (!isObject(value)) return value;
  const keys = Object.keys(value).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Object.fromEntries(keys.map((key) => [key, sortKeys(value[key] ?? null)]));
}

/** Throws `ArtifactError` (malformedHeader) when objects and lists are nested deeper than `depth`. */
export function assertDepth(value: Json, depth: number, member: string): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth === 0) throw new ArtifactError('malformedHeader', 'its values are nested too deeply', { member });
  for (const item of Object.values(value as JsonObject)) assertDepth(item, depth - 1, member);
}
