/** Most brackets and variants within each other; the D-Bus specification allows 64 in all. */
export const deepest = 32;

const basicTypes = 'ybnqiuxtdsog';

/**
 * The complete types of a signature, one each: `a{sv}(ii)s` is `a{sv}`, `(ii)` and `s`. Throws when it is none. File descriptors
 * (`h`) are not spoken.
 */
export function completeTypes(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length;) {
    const end = endOfType(signature, at, 0);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOfType(signature: string, at: number, depth: number): number {
  const first = signature[at] ?? '';
  if (depth > deepest) throw new Error('a signature is nested too deep');
  if (first !== '' && `${basicTypes}v`.includes(first)) return at + 1;
  if (first === 'a') {
    return signature[at + 1] === '{'
      ? endOfEntry(signature, at + 1, depth + 1)
      : endOfType(signature, at + 1, depth + 1);
  }
  if (first === '(' && signature[at + 1] !== ')') {
    let end = at + 1;
    while (signature[end] !== ')') end = endOfType(signature, end, depth + 1);
    return end + 1;
  }
  throw new Error(`${JSON.stringify(signature)} is no signature`);
}

/** `{` a basic type, any type `}`: only as what an array is of. */
function endOfEntry(signature: string, at: number, depth: number): number {
  const key = signature[at + 1] ?? '';
  if (key !== '' && basicTypes.includes(key)) {
    const end = endOfType(signature, at + 2, depth + 1);
    if (signature[end] === '}') return end + 1;
  }
  throw new Error(`${JSON.stringify(signature)} is no signature`);
}

/** Multiple of which the value's first byte stands at, by the first letter of its type. */
// prettier-ignore
export const alignments: Readonly<Record<string, number>> = {
  y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, x: 8, t: 8, d: 8, '(': 8, '{': 8,
};
