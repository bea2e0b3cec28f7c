import type { Readable } from 'node:stream';

/**
 * Where artifacts lie. An object is written once and never changed; its key is a tenant and an id that was never used before. A
 * directory of the local file system is one implementation, an S3 bucket the other.
 */
export interface ObjectStorage {
  /**
   * Stores what `source` yields. It is there, whole and durable, when this resolves; when `source` throws, the signal aborts or
   * the storage refuses, nothing of it is left. A source that checks itself may therefore refuse its own content at the very end.
   * Throws ObjectStorageError `wrongSize` when `sizeBytes` is given and not met, `exists` when the key is taken.
   */
  put(key: ObjectKey, source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<StoredObject>;
  /** Opens for reading; undefined when there is none. The caller reads `content` to its end or calls `close`. */
  get(key: ObjectKey): Promise<OpenObject | undefined>;
  head(key: ObjectKey): Promise<StoredObject | undefined>;
  /** Also succeeds when there is none. */
  delete(key: ObjectKey): Promise<void>;
  /** Every object stored more than `olderThanMs` ago, in no order; for finding those that nothing refers to. */
  keys(olderThanMs: number, signal?: AbortSignal): AsyncIterable<ObjectKey>;
  /** Removes what uploads left that broke off without a word (a power cut), begun more than `olderThanMs` ago; returns how many. */
  removeUnfinished(olderThanMs: number, signal?: AbortSignal): Promise<number>;
  /** Undefined where objects can be had through the server alone. */
  readonly links: DirectLinks | undefined;
}

/** Links past the server, straight to an object. Who has one needs nothing else, until it expires. */
export interface DirectLinks {
  /** For GET, with or without a range. A browser saves it as `fileName`. */
  download(key: ObjectKey, valid: LinkValidity, fileName: string): Promise<string>;
  /** For one PUT of at most 5 GiB, that makes the object or replaces it. */
  upload(key: ObjectKey, valid: LinkValidity): Promise<string>;
}

export interface LinkValidity {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** A week at most. */
  readonly forSeconds: number;
}

export interface ObjectKey {
  readonly tenant: string;
  readonly id: string;
}

export interface PutOptions {
  /** Exactly so many bytes, when known beforehand. */
  readonly sizeBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StoredObject {
  readonly sizeBytes: number;
  /** Strong: equal only while the bytes are. With its quotes, as the ETag header has it. */
  readonly etag: string;
}

export interface OpenObject extends StoredObject {
  /** Bytes `first` to `last`, both included; closes the object when it ends, fails or is destroyed. Once only. */
  readonly content: (first: number, last: number) => Readable;
  /** For an object whose content is not read. */
  readonly close: () => Promise<void>;
}

export type ObjectStorageErrorCode =
  | 'wrongSize'
  | 'exists'
  | 'badKey'
  | 'unreadable'
  /** No space left, or a quota is met. */
  | 'full'
  /** The storage answered, and will not: wrong credentials, no such bucket, somebody else's. */
  | 'refused'
  /** No answer, or none that makes sense, however often it was asked. */
  | 'unreachable';

export class ObjectStorageError extends Error {
  override readonly name = 'ObjectStorageError';
  readonly code: ObjectStorageErrorCode;

  constructor(code: ObjectStorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const artifactContentType = 'application/vnd.mender-artifact';

/** Both parts of a key become names of files and objects. */
export const isKeyPart = (part: string): boolean => /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(part);

/** Throws ObjectStorageError `badKey`. */
export function assertKey({ tenant, id }: ObjectKey): void {
  if (!isKeyPart(tenant) || !isKeyPart(id)) {
    throw new ObjectStorageError('badKey', 'naming an object: tenant and id are letters, digits and dashes');
  }
}

export const wrongSize = (sizeBytes: number, stored: number): ObjectStorageError =>
  new ObjectStorageError(
    'wrongSize',
    `storing an object of ${sizeBytes} bytes: ${stored > sizeBytes ? 'more' : stored} came`,
  );
