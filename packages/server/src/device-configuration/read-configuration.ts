import type { Configuration } from '@tandem/api';
import { readJson } from '../http/read-json.ts';
import { ServerError } from '../server-error.ts';

const maxKeys = 100;
const maxBytes = 4096;

/** A configuration as it was sent, with the reference's words for what is wrong (server contract 6). Throws `badRequest`. */
export function readConfiguration(body: Buffer): Configuration {
  const value = readJson(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('give an object whose values are texts');
  }
  const entries = Object.entries(value);
  if (entries.length > maxKeys) throw invalid(`too many configuration attributes, maximum is ${maxKeys}.`);
  for (const [key, item] of entries) {
    if (key === '' || Buffer.byteLength(key) > maxBytes)
      throw invalid(`key: the length must be between 1 and ${maxBytes}.`);
    if (typeof item !== 'string') throw invalid(`value: invalid type: ${goType(item)}.`);
    if (Buffer.byteLength(item) > maxBytes)
      throw invalid(`value: the length must be no more than ${maxBytes}.`);
  }
  return Object.fromEntries(entries) as Configuration;
}

/** As the reference names what JSON brought. */
function goType(value: unknown): string {
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (value === null) return '<nil>';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}

const invalid = (reason: string) => new ServerError('badRequest', `invalid request body: ${reason}`);
