/**
 * What identity and inventory programs print: `key=value` a line, split at the first `=`. The values of a key that is repeated
 * are in order of appearance. Undefined when a line is neither empty nor of that form.
 */
export function parseKeyValueLines(text: string): Map<string, string[]> | undefined {
  const values = new Map<string, string[]>();
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    const equals = line.indexOf('=');
    if (equals <= 0) return undefined;
    const key = line.slice(0, equals);
    values.set(key, [...(values.get(key) ?? []), line.slice(equals + 1)]);
  }
  return values;
}
