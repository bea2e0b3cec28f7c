import { readFile, stat } from 'node:fs/promises';
import { mayBeSecret, secretFile, type Setting } from './settings.ts';
import { valueTypes } from './value-types.ts';

/** A value before it is read. */
export interface Given {
  readonly text: string;
  /** How the one who gave it calls it. */
  readonly source: string;
}

const maxBytes = 65_536;
const readableByOthers = 0o004;

/**
 * A configuration file: a line each `NAME = VALUE`, with the names of the options; empty lines and lines that begin with `#` say
 * nothing. Returns what is given by name, with file and line as the source; what is wrong goes to `faults`.
 */
export async function readConfigurationFile(
  path: string,
  settings: readonly Setting[],
  faults: string[],
): Promise<Map<string, Given>> {
  const found = new Map<string, Given>();
  const text = await textOf(path, faults);
  if (text === undefined) return found;
  const names = new Set(
    settings.flatMap((setting) => [
      setting.option,
      ...(mayBeSecret(setting) ? [secretFile(setting).option] : []),
    ]),
  );
  for (const [index, line] of text.content.split(/\r?\n/).entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const place = `${path}:${index + 1}`;
    const [, name = '', value = ''] = /^\s*([a-z0-9-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    const earlier = found.get(name);
    if (name === '') faults.push(`${place}: write NAME = VALUE, or # before a remark`);
    else if (!names.has(name)) faults.push(`${place}: there is no setting "${name}"`);
    else if (earlier !== undefined) faults.push(`${place}: ${name} was given before, at ${earlier.source}`);
    else found.set(name, { text: value, source: `${place} ${name}` });
  }
  if (text.isReadableByOthers) faults.push(...exposedSecrets(path, settings, found));
  for (const [name, { text: value }] of found) if (value === '') found.delete(name);
  return found;
}

async function textOf(
  path: string,
  faults: string[],
): Promise<{ content: string; isReadableByOthers: boolean } | undefined> {
  try {
    const { size, mode } = await stat(path);
    if (size > maxBytes) throw new Error(`it has ${size} bytes, and may have ${maxBytes}`);
    return {
      content: await readFile(path, 'utf8'),
      isReadableByOthers: (mode & readableByOthers) !== 0,
    };
  } catch (error) {
    faults.push(
      `the configuration file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

const exposedSecrets = (
  path: string,
  settings: readonly Setting[],
  found: ReadonlyMap<string, Given>,
): string[] =>
  settings.flatMap((setting) => {
    const given = found.get(setting.option);
    if (given === undefined || !valueTypes[setting.type].isSecret(given.text)) return [];
    return [
      `${given.source}: everybody can read this secret: chmod o-r ${path}, ` +
        `or name a file of its own by ${secretFile(setting).option}`,
    ];
  });
