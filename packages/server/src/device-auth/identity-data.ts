import { createHash } from 'node:crypto';
import { ServerError } from '../server-error.ts';

export interface IdentityData {
  /** Canonical text: keys sorted, HTML characters escaped (server contract 16.1). Two texts of one identity become one. */
  readonly text: string;
  /** SHA-256 of the text, hexadecimal: what identifies a device. */
  readonly hash: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const maxDepth = 32;

/** Reads the JSON text a device identifies itself by. Throws `badRequest` unless it is an object. */
export function readIdentityData(text: string): IdentityData {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ServerError('badRequest', 'invalid auth request: id_data is not JSON', { cause });
  }
  return identityData(value);
}

/** The same for a value that is already parsed: a preauthorization. */
export function identityData(value: unknown): IdentityData {
  if (!isObject(value))
    throw new ServerError('badRequest', 'invalid auth request: id_data must be a JSON object');
  const text = canonicalJson(value, 0).replaceAll(/[<>&\u2028\u2029]/g, escape);
  return { text, hash: createHash('sha256').update(text).digest('hex'), attributes: value };
}

function canonicalJson(value: unknown, depth: number): string {
  if (depth > maxDepth)
    throw new ServerError('badRequest', 'invalid auth request: id_data is nested too deeply');
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item, depth + 1)}`);
  return `{${members.join(',')}}`;
}

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
