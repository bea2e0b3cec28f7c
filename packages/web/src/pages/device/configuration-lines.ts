type Values = Readonly<Record<string, string>>;

/** A configuration as people write one: a line each, sorted by name. */
export const configurationLines = (values: Values): string =>
  Object.entries(values)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');

export type ReadConfiguration =
  { readonly kind: 'read'; readonly values: Values } | { readonly kind: 'faulty'; readonly fault: string };

/** Empty lines are passed over; a line without `=`, or a name that comes twice, is a fault. */
export function readConfigurationLines(text: string): ReadConfiguration {
  const values = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const equals = line.indexOf('=');
    const name = line.slice(0, Math.max(0, equals)).trim();
    if (name === '') return { kind: 'faulty', fault: `Line ${index + 1} is not name=value.` };
    if (values.has(name)) return { kind: 'faulty', fault: `Line ${index + 1}: ${name} is there twice.` };
    values.set(name, line.slice(equals + 1).trim());
  }
  return { kind: 'read', values: Object.fromEntries(values) };
}
