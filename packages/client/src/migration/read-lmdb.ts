import { ClientError } from '../client-error.ts';
import {
  lmdbLayouts,
  lmdbMagic,
  lmdbVersion,
  nodeFlags,
  nodeHeaderBytes,
  pageFlags,
  type LmdbLayout,
} from './lmdb-layout.ts';

/** What a database may be at most; Mender's holds about ten entries of a few kilobytes. */
// prettier-ignore
export const lmdbLimits = {
  fileBytes:  64 * 1024 * 1024,
  valueBytes: 4 * 1024 * 1024,
  keyBytes:   511,
  entries:    10_000,
  depth:      32,
} as const;

/**
 * All entries of the unnamed table of an LMDB database, as its last complete transaction left them; keys as UTF-8. Values are copies.
 *
 * Whatever the bytes are, it ends: each page is visited once at most, every position is checked against the file before it is
 * read, and `lmdbLimits` hold. Throws `ClientError` `badDatabase`, whose message is the reason alone.
 */
export function readLmdb(file: Uint8Array): ReadonlyMap<string, Uint8Array> {
  if (file.length > lmdbLimits.fileBytes) throw damaged(`it has more than ${lmdbLimits.fileBytes} bytes`);
  const { layout, pageBytes, root, depth, entries } = lastMeta(file);
  if (root === undefined) return new Map();
  const found = new Map<string, Uint8Array>();
  const visited = new Set<number>();

  const pageAt = (number: number, count = 1): Page => {
    const at = number * pageBytes;
    if (number < 2 || !Number.isSafeInteger(at) || at + count * pageBytes > file.length)
      throw damaged(`it leads to page ${number}, which it does not have`);
    if (visited.has(number)) throw damaged(`it leads to page ${number} twice`);
    visited.add(number);
    return page(file.subarray(at, at + count * pageBytes), layout);
  };
  const valueOf = (node: Node): Uint8Array => {
    if (node.sizeBytes > lmdbLimits.valueBytes) throw damaged(`a value has ${node.sizeBytes} bytes`);
    if ((node.flags & nodeFlags.onOverflowPages) === 0) return node.data(node.sizeBytes).slice();
    const first = numberAt(node.data(layout.wordBytes), 0, layout.wordBytes);
    const count = Math.ceil((layout.headerBytes + node.sizeBytes) / pageBytes);
    const pages = pageAt(first, count);
    if ((pages.flags & pageFlags.overflow) === 0) throw damaged(`page ${first} is no overflow page`);
    return pages.bytes.slice(layout.headerBytes, layout.headerBytes + node.sizeBytes);
  };
  const walk = (number: number, level: number): void => {
    const here = pageAt(number);
    const isLeaf = level === depth;
    if ((here.flags & (isLeaf ? pageFlags.leaf : pageFlags.branch)) === 0)
      throw damaged(`page ${number} is not what its depth ${level} of ${depth} says`);
    for (const node of here.nodes()) {
      if (!isLeaf) {
        walk(node.child, level + 1);
        continue;
      }
      if ((node.flags & (nodeFlags.table | nodeFlags.duplicates)) !== 0)
        throw damaged('it has tables of its own, which is not what Mender writes');
      if (found.size === entries) throw damaged(`it has more than the ${entries} entries it speaks of`);
      found.set(new TextDecoder().decode(node.key()), valueOf(node));
    }
  };
  walk(root, 1);
  if (found.size !== entries) throw damaged(`it has ${found.size} of the ${entries} entries it speaks of`);
  return found;
}

interface Meta {
  readonly layout: LmdbLayout;
  readonly pageBytes: number;
  /** Undefined: the table is empty. */
  readonly root: number | undefined;
  readonly depth: number;
  readonly entries: number;
  readonly transaction: number;
}

/** Pages 0 and 1 are written in turn; the one with the later transaction counts. */
function lastMeta(file: Uint8Array): Meta {
  const layout = lmdbLayouts.find(
    ({ magic }) => file.length >= magic + 4 && numberAt(file, magic, 4) === lmdbMagic,
  );
  if (layout === undefined) throw damaged('it is no LMDB database of a little-endian machine');
  const pageBytes = file.length < 4096 ? 0 : numberAt(file, layout.pageSize, 4);
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0)
    throw damaged(`its page size is ${pageBytes}`);
  if (file.length < 2 * pageBytes) throw damaged('it ends before its second page');
  const metas = [0, 1].map((number) => meta(file.subarray(number * pageBytes), layout, pageBytes));
  return metas.reduce((one, other) => (other.transaction > one.transaction ? other : one));
}

function meta(bytes: Uint8Array, layout: LmdbLayout, pageBytes: number): Meta {
  const { magic, version, wordBytes } = layout;
  if (numberAt(bytes, magic, 4) !== lmdbMagic) throw damaged('a meta page is damaged');
  if (numberAt(bytes, version, 4) !== lmdbVersion)
    throw new ClientError(
      'badDatabase',
      `its format is version ${numberAt(bytes, version, 4)}, not ${lmdbVersion}`,
    );
  if (numberAt(bytes, layout.pageSize, 4) !== pageBytes)
    throw damaged('its meta pages contradict each other');
  // Sorting or doubling keys would make another kind of table of it.
  if (numberAt(bytes, layout.tableFlags, 2) !== 0)
    throw damaged('its table is not of the kind Mender writes');
  const root = bytes.subarray(layout.root, layout.root + wordBytes);
  const depth = numberAt(bytes, layout.depth, 2);
  const entries = numberAt(bytes, layout.entries, wordBytes);
  if (depth > lmdbLimits.depth) throw damaged(`its depth is ${depth}`);
  if (entries > lmdbLimits.entries) throw damaged(`it speaks of ${entries} entries`);
  return {
    layout,
    pageBytes,
    root: root.every((byte) => byte === 0xff) ? undefined : numberAt(root, 0, wordBytes),
    depth,
    entries,
    transaction: numberAt(bytes, layout.transaction, wordBytes),
  };
}

interface Page {
  readonly bytes: Uint8Array;
  readonly flags: number;
  nodes(): Iterable<Node>;
}

interface Node {
  readonly flags: number;
  /** On a leaf page: of the data, wherever that is. */
  readonly sizeBytes: number;
  /** On a branch page: the page it leads to. */
  readonly child: number;
  key(): Uint8Array;
  /** The first bytes behind the key. */
  data(bytes: number): Uint8Array;
}

function page(bytes: Uint8Array, layout: LmdbLayout): Page {
  return {
    bytes,
    flags: numberAt(bytes, layout.flags, 2),
    *nodes() {
      const end = numberAt(bytes, layout.lower, 2);
      if (end < layout.headerBytes || end > bytes.length || end % 2 !== 0)
        throw damaged('the nodes of a page are not to be found');
      for (let at = layout.headerBytes; at < end; at += 2)
        yield nodeAt(bytes, numberAt(bytes, at, 2), layout);
    },
  };
}

function nodeAt(bytes: Uint8Array, at: number, { wordBytes, headerBytes }: LmdbLayout): Node {
  if (at < headerBytes || at + nodeHeaderBytes > bytes.length) throw damaged('a node lies outside its page');
  const size = numberAt(bytes, at, 4);
  const flags = numberAt(bytes, at + 4, 2);
  const keyBytes = numberAt(bytes, at + 6, 2);
  const part = (from: number, count: number): Uint8Array => {
    if (from + count > bytes.length) throw damaged('a node reaches beyond its page');
    return bytes.subarray(from, from + count);
  };
  return {
    flags,
    sizeBytes: size,
    // A branch has no use for flags: with long words, the page number goes on there.
    child: wordBytes === 8 ? size + flags * 2 ** 32 : size,
    key: () => {
      if (keyBytes > lmdbLimits.keyBytes) throw damaged(`a key has ${keyBytes} bytes`);
      return part(at + nodeHeaderBytes, keyBytes);
    },
    data: (count) => part(at + nodeHeaderBytes + keyBytes, count),
  };
}

/** Why a file is not taken for a database: damaged, or of a kind this reader does not know. */
const damaged = (reason: string): ClientError => new ClientError('badDatabase', reason);

/** Little-endian; beyond 2^53 it is no longer exact, which no page number of a bounded file is. */
function numberAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}
