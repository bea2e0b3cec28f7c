import type { Readable } from 'node:stream';

/**
 * Where artifacts lie. An object is written once and never changed; its key is a tenant and an artifact id. The local file system
 * is one implementation, an S3 bucket may be another.
 */
export interface ObjectStorage {
  /**
   * Stores what `source` yields. It is there, whole and durable, when this resolves; when `source` throws, the signal aborts or
   * the disk refuses, nothing of it is left. A source that checks itself may therefore refuse its own content at the very end.
   * Throws ObjectStorageError `wrongSize` when `sizeBytes` is given and not met, `exists` when the key is taken.
   */
  put(key: ObjectKey, source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<StoredObject>;
  /** Opens for reading; undefined when there is none. The caller reads `content` to its end or calls `close`. */
  get(key: ObjectKey): Promise<OpenObject | undefined>;
  head(key: ObjectKey): Promise<StoredObject | undefined>;
  /** Also succeeds when there is none. */
  delete(key: ObjectKey): Promise<void>;
  /** Every object, in no order; for finding those that nothing refers to. */
  keys(): AsyncIterable<ObjectKey>;
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

export type ObjectStorageErrorCode = 'wrongSize' | 'exists' | 'badKey' | 'unreadable';

export class ObjectStorageError extends Error {
  override readonly name = 'ObjectStorageError';
  readonly code: ObjectStorageErrorCode;

  constructor(code: ObjectStorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
