/**
 * Where LMDB 0.9 keeps what, in bytes from the beginning of a page (the structures MDB_page, MDB_meta, MDB_db and MDB_node of its
 * sources). It writes the machine's own words, so a database of a 32-bit board differs from one of a 64-bit one. Both are little-endian:
 * Node runs on no other board.
 */
export interface LmdbLayout {
  readonly wordBytes: 4 | 8;
  /** Of the page's header, behind which a table of the positions of its nodes begins, or an overflow page's bytes. */
  readonly flags: number;
  /** End of that table; on an overflow page the number of pages it spans. */
  readonly lower: number;
  readonly headerBytes: number;
  /** Of a meta page. The page size stands in the description of the free list, the root in that of the main table. */
  readonly magic: number;
  readonly version: number;
  readonly pageSize: number;
  readonly tableFlags: number;
  readonly depth: number;
  readonly entries: number;
  readonly root: number;
  readonly transaction: number;
}

// prettier-ignore
export const lmdbLayouts = [
  { wordBytes: 8, flags: 10, lower: 12, headerBytes: 16, magic: 16, version: 20, pageSize: 40, tableFlags: 92, depth: 94, entries: 120, root: 128, transaction: 144 },
  { wordBytes: 4, flags: 6,  lower: 8,  headerBytes: 12, magic: 12, version: 16, pageSize: 28, tableFlags: 60, depth: 62, entries: 76,  root: 80,  transaction: 88 },
] as const satisfies readonly LmdbLayout[];

export const lmdbMagic = 0xbeefc0de;
export const lmdbVersion = 1;

/** What a page is; other bits speak of pages that are being written. */
export const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;

/** What the data of a node is: its bytes, or where they begin on overflow pages, or another table. */
export const nodeFlags = { onOverflowPages: 0x01, table: 0x02, duplicates: 0x04 } as const;

/** Of a node: two halves of the data's length (on a branch page, of the page number it leads to), flags, the key's length, then the key. */
export const nodeHeaderBytes = 8;
