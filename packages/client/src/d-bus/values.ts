import { alignments, completeTypes, deepest } from './signature.ts';

/**
 * A value as D-Bus knows them. Structs, arrays, dictionaries and their entries are lists; 64 bit integers are bigints; what
 * each is exactly, the signature beside it says.
 */
export type BusValue = boolean | number | bigint | string | BusVariant | readonly BusValue[];

export interface BusVariant {
  readonly signature: string;
  readonly value: BusValue;
}

/** The value where it is a text; throws where it is not. */
export function textOf(value: BusValue | undefined): string {
  if (typeof value === 'string') return value;
  throw new Error(`a text was due, not a ${typeof value}`);
}

/** Fixed-size types: how many bytes, how written and read. */
// prettier-ignore
const fixed = {
  y: { size: 1, put: (to: DataView, at: number, value: BusValue) => { to.setUint8(at, Number(value)); },           get: (from: DataView, at: number) => from.getUint8(at) },
  b: { size: 4, put: (to: DataView, at: number, value: BusValue) => { to.setUint32(at, value ? 1 : 0, true); },    get: (from: DataView, at: number, little: boolean) => from.getUint32(at, little) !== 0 },
  n: { size: 2, put: (to: DataView, at: number, value: BusValue) => { to.setInt16(at, Number(value), true); },     get: (from: DataView, at: number, little: boolean) => from.getInt16(at, little) },
  q: { size: 2, put: (to: DataView, at: number, value: BusValue) => { to.setUint16(at, Number(value), true); },    get: (from: DataView, at: number, little: boolean) => from.getUint16(at, little) },
  i: { size: 4, put: (to: DataView, at: number, value: BusValue) => { to.setInt32(at, Number(value), true); },     get: (from: DataView, at: number, little: boolean) => from.getInt32(at, little) },
  u: { size: 4, put: (to: DataView, at: number, value: BusValue) => { to.setUint32(at, Number(value), true); },    get: (from: DataView, at: number, little: boolean) => from.getUint32(at, little) },
  x: { size: 8, put: (to: DataView, at: number, value: BusValue) => { to.setBigInt64(at, value as bigint, true); },  get: (from: DataView, at: number, little: boolean) => from.getBigInt64(at, little) },
  t: { size: 8, put: (to: DataView, at: number, value: BusValue) => { to.setBigUint64(at, value as bigint, true); }, get: (from: DataView, at: number, little: boolean) => from.getBigUint64(at, little) },
  d: { size: 8, put: (to: DataView, at: number, value: BusValue) => { to.setFloat64(at, Number(value), true); },   get: (from: DataView, at: number, little: boolean) => from.getFloat64(at, little) },
} as const;

const isFixed = (type: string): type is keyof typeof fixed => Object.hasOwn(fixed, type);

/** The values in little-endian byte order, beginning at a multiple of eight. The signature is ours, and fits the values. */
export function encodeValues(signature: string, values: readonly BusValue[]): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  const add = (bytes: Buffer) => {
    parts.push(bytes);
    length += bytes.length;
  };
  const pad = (alignment: number) => {
    add(Buffer.alloc(-length & (alignment - 1)));
  };
  const addLength = (bytes: number) => {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(bytes);
    add(word);
  };

  const put = (type: string, value: BusValue): void => {
    const first = type[0] ?? '';
    pad(alignments[first] ?? 1);
    if (isFixed(first)) {
      const bytes = Buffer.alloc(fixed[first].size);
      fixed[first].put(new DataView(bytes.buffer, bytes.byteOffset), 0, value);
      add(bytes);
    } else if (first === 's' || first === 'o') {
      const text = Buffer.from(`${textOf(value)}\0`);
      addLength(text.length - 1);
      add(text);
    } else if (first === 'g') putSignature(textOf(value));
    else if (first === 'v') {
      const variant = value as BusVariant;
      putSignature(variant.signature);
      put(variant.signature, variant.value);
    } else if (first === 'a') putArray(type.slice(1), value as readonly BusValue[]);
    else {
      const members = value as readonly BusValue[];
      for (const [index, member] of completeTypes(type.slice(1, -1)).entries())
        put(member, members[index] ?? '');
    }
  };
  const putSignature = (text: string) => {
    add(Buffer.from([text.length, ...Buffer.from(text), 0]));
  };
  const putArray = (itemType: string, items: readonly BusValue[]) => {
    // The length is known only after the items; it does not count the padding before the first of them.
    const place = parts.length;
    addLength(0);
    pad(alignments[itemType[0] ?? ''] ?? 1);
    const start = length;
    for (const item of items) put(itemType, item);
    parts[place]?.writeUInt32LE(length - start);
  };

  for (const [index, type] of completeTypes(signature).entries()) put(type, values[index] ?? '');
  return Buffer.concat(parts);
}

/**
 * The values that `bytes` hold from `start`, which counts for alignment. Bytes after the last value are left alone. Throws when
 * they are not what the signature says; nothing is made larger than the bytes that are there.
 */
export function decodeValues(
  signature: string,
  bytes: Uint8Array,
  littleEndian: boolean,
  start = 0,
): BusValue[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  const take = (size: number): number => {
    const from = at;
    if (size > bytes.length - from) throw new Error('it ends in the middle of a value');
    at += size;
    return from;
  };
  const skipPadding = (alignment: number) => {
    take(-at & (alignment - 1));
  };
  const takeText = (size: number): string => {
    const from = take(size + 1);
    if (bytes[from + size] !== 0) throw new Error('a text does not end');
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, size).toString();
  };

  const get = (type: string, depth: number): BusValue => {
    if (depth > deepest) throw new Error('it is nested too deep');
    const first = type[0] ?? '';
    skipPadding(alignments[first] ?? 1);
    if (isFixed(first)) return fixed[first].get(view, take(fixed[first].size), littleEndian);
    if (first === 's' || first === 'o') return takeText(view.getUint32(take(4), littleEndian));
    if (first === 'g') return takeText(view.getUint8(take(1)));
    if (first === 'v') {
      const inner = takeText(view.getUint8(take(1)));
      if (completeTypes(inner).length !== 1) throw new Error('a variant is not of one type');
      return { signature: inner, value: get(inner, depth + 1) };
    }
    if (first === 'a') {
      const size = view.getUint32(take(4), littleEndian);
      skipPadding(alignments[type[1] ?? ''] ?? 1);
      const end = at + size;
      const items: BusValue[] = [];
      while (at < end) items.push(get(type.slice(1), depth + 1));
      if (at !== end) throw new Error('an array ends in the middle of an item');
      return items;
    }
    return completeTypes(type.slice(1, -1)).map((member) => get(member, depth + 1));
  };
  return completeTypes(signature).map((type) => get(type, 0));
}
