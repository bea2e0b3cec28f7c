import { configurationKeys, type KeyDescription, type KeyName } from './configuration-keys.ts';

export type ConfigurationValue = string | boolean | number | readonly string[];
/** Values by key, as one file gives them. */
export type GivenValues = ReadonlyMap<KeyName, ConfigurationValue>;

export interface ParsedConfiguration {
  readonly values: GivenValues;
  /** For each, the file cannot be used. */
  readonly problems: readonly string[];
  /** What has no effect, each with its key. */
  readonly warnings: readonly string[];
}

/**
 * Reads the text of one configuration file. Keys are found whatever their case; unknown keys are left alone. All problems are
 * found, each told with its key.
 */
export function parseConfigurationText(text: string): ParsedConfiguration {
  const values = new Map<KeyName, ConfigurationValue>();
  const problems: string[] = [];
  const warnings: string[] = [];
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    return {
      values,
      warnings,
      problems: [`not valid JSON: ${error instanceof Error ? error.message : String(error)}`],
    };
  }
  if (!isObject(root)) return { values, warnings, problems: ['it must be a JSON object'] };

  for (const name of Object.keys(configurationKeys) as KeyName[]) {
    const found = lookUp(root, name.split('.'));
    if ('problem' in found) problems.push(`${name}: ${found.problem}`);
    else if (found.value !== undefined) {
      const description = configurationKeys[name];
      const checked = check(description, found.value);
      if (description.type === 'unused') warnings.push(`${name}: ${description.meaning}`);
      else if ('problem' in checked) problems.push(`${name}: ${checked.problem}`);
      else values.set(name, checked.value);
    }
  }
  for (const name of unknownKeys(root)) warnings.push(`${name}: there is no such key`);
  return { values, problems, warnings };
}

/** Names that no row of the table begins with or is, with those within our objects. */
function unknownKeys(object: Record<string, unknown>, within = ''): string[] {
  const known = Object.keys(configurationKeys).map((name) => name.toLowerCase());
  return Object.entries(object).flatMap(([name, value]) => {
    const path = `${within}${name}`;
    if (known.includes(path.toLowerCase())) return [];
    const leads = known.some((key) => key.startsWith(`${path.toLowerCase()}.`));
    return leads && isObject(value) ? unknownKeys(value, `${path}.`) : leads ? [] : [path];
  });
}

type Found<Value> = { readonly value: Value } | { readonly problem: string };

function lookUp(object: Record<string, unknown>, [first = '', ...rest]: readonly string[]): Found<unknown> {
  const names = Object.keys(object).filter((name) => name.toLowerCase() === first.toLowerCase());
  if (names.length > 1) return { problem: `given twice, as ${names.join(' and ')}` };
  const value = names[0] === undefined ? undefined : object[names[0]];
  if (rest.length === 0 || value === undefined) return { value };
  return isObject(value) ? lookUp(value, rest) : { problem: `${names[0]} must be an object` };
}

function check(description: KeyDescription, value: unknown): Found<ConfigurationValue> {
  switch (description.type) {
    case 'string':
      return typeof value === 'string' ? { value } : { problem: 'must be a text' };
    case 'url':
      return typeof value === 'string' ? checkUrl(value) : { problem: 'must be a text' };
    case 'refused':
      return value === ''
        ? { value }
        : { problem: `is not supported; ${description.instead}, and remove this key` };
    case 'unused':
      return { value: description.default };
    case 'boolean':
      return typeof value === 'boolean' ? { value } : { problem: 'must be true or false' };
    case 'interval':
      return checkWhole(value, 0, longestIntervalSeconds, description.default);
    case 'whole':
      return checkWhole(value, description.minimum, description.maximum);
    case 'strings':
      return Array.isArray(value) && value.every((item): item is string => typeof item === 'string')
        ? { value }
        : { problem: 'must be a list of texts' };
    case 'servers':
      return checkServers(value);
    case 'choice':
      return typeof value === 'string' && description.choices.includes(value)
        ? { value }
        : { problem: `must be one of ${description.choices.join(', ')}` };
    default:
      return description satisfies never;
  }
}

/** Ten years: longer is a slip of the pen, and keeps times in milliseconds exact. */
const longestIntervalSeconds = 10 * 366 * 24 * 3600;

function checkWhole(value: unknown, minimum: number, maximum: number, insteadOfZero?: number): Found<number> {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    return { problem: `must be a whole number from ${minimum} to ${maximum}` };
  }
  return { value: value === 0 && insteadOfZero !== undefined ? insteadOfZero : value };
}

function checkServers(value: unknown): Found<readonly string[]> {
  if (!Array.isArray(value)) return { problem: 'must be a list of objects with a ServerURL each' };
  const urls: string[] = [];
  for (const [index, item] of value.entries()) {
    const url = isObject(item)
      ? lookUp(item, ['ServerURL'])
      : { problem: 'must be an object with a ServerURL' };
    if ('problem' in url) return { problem: `[${index}] ${url.problem}` };
    if (typeof url.value !== 'string' || url.value === '')
      return { problem: `[${index}].ServerURL must be a text` };
    const checked = checkUrl(url.value);
    if ('problem' in checked) return { problem: `[${index}].ServerURL ${checked.problem}` };
    urls.push(checked.value);
  }
  return { value: urls };
}

function checkUrl(text: string): Found<string> {
  if (text === '') return { value: text };
  if (!URL.canParse(text) || !/^https?:/i.test(text))
    return { problem: 'must be an http:// or https:// address' };
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    return { problem: 'must not contain a user name or password' };
  return { value: text.replace(/\/$/, '') };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
