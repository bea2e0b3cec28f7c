/** JSON as Go's encoder writes it: keys sorted, `<`, `>`, `&` and the Unicode line separators escaped; indented with `spaces`. */
export function goJson(value: unknown, spaces?: number): string {
  return JSON.stringify(sorted(value), undefined, spaces).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
