import { configurationKeys, type KeyDescription } from './configuration-keys.ts';
import { environmentVariables } from './environment-variables.ts';

/** The tables of `docs/how-to/configure-the-client.md`, a row a list of cells, the first of each its head. */
export const configurationTables: Readonly<Record<'keys' | 'environment', readonly (readonly string[])[]>> = {
  keys: [
    ['key', 'value', 'default', 'meaning'],
    ...Object.entries(configurationKeys).map(([name, key]: [string, KeyDescription]) => [
      `\`${name}\``,
      valueOf(key),
      defaultOf(key),
      key.meaning,
    ]),
  ],
  environment: [
    ['variable', 'meaning'],
    ...Object.entries(environmentVariables).map(([name, meaning]) => [`\`${name}\``, meaning]),
  ],
};

/** The document with its tables, each after a line `<!-- table: NAME -->`, as they are in the source. */
export function withTables(document: string): string {
  return Object.entries(configurationTables).reduce(
    (text, [name, rows]) =>
      text.replace(tablePattern(name), (_, mark: string) => `${mark}\n\n${rows.map(line).join('\n')}\n`),
    document,
  );
}

/** The cells of a table of the document, or undefined when it has none of that name. */
export function tableIn(document: string, name: string): readonly (readonly string[])[] | undefined {
  const [, , table] = tablePattern(name).exec(document) ?? [];
  return table
    ?.trim()
    .split('\n')
    .filter((row) => !/^\|[ |-]*$/.test(row))
    .map((row) =>
      row
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

const tablePattern = (name: string) => new RegExp(`(<!-- table: ${name} -->)\\n+((?:\\|.*\\n)*)`);

const line = (cells: readonly string[], index: number): string =>
  `| ${cells.join(' | ')} |${index === 0 ? `\n|${' - |'.repeat(cells.length)}` : ''}`;

function valueOf(key: KeyDescription): string {
  switch (key.type) {
    case 'string':
      return 'text';
    case 'url':
      return 'http:// or https:// address';
    case 'boolean':
      return 'true or false';
    case 'interval':
      return 'whole seconds; 0: the default';
    case 'whole':
      return `${key.minimum} to ${key.maximum}`;
    case 'strings':
      return 'list of texts';
    case 'servers':
      return 'list of `{"ServerURL": "…"}`';
    case 'choice':
      return key.choices.join(', ');
    case 'refused':
    case 'unused':
      return '–';
    default:
      return key satisfies never;
  }
}

function defaultOf({ default: value }: KeyDescription): string {
  if (Array.isArray(value)) return '[]';
  return value === '' ? '' : String(value as string | number | boolean);
}
