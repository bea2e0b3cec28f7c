import type { KeyObject } from 'node:crypto';

/*
 * The public shapes of an artifact being read or written. Everything that streams is an
 * `AsyncIterable<Uint8Array>`; nothing here ever holds a payload.
 */

/** Compressions by the name the command line uses; the file extension of each is in `compression.ts`. */
export type CompressionName = 'none' | 'gzip' | 'lzma' | 'zstd';

/** Up to here compressed input and content belong together: what follows can be decompressed without what came before. */
export interface MemberBoundary {
  readonly compressedBytes: number;
  readonly contentBytes: number;
}

/**
 * Turns compressed bytes into content, piece by piece. Ends with an `ArtifactError` (corruptCompression) when the input is cut,
 * damaged or followed by anything else; ending the iteration early releases everything it holds. May tell of the boundaries
 * between independent members (gzip), frames (zstd) or streams (xz), at the latest when it ends.
 */
export type ByteTransform = (
  source: AsyncIterable<Uint8Array>,
  onBoundary?: (boundary: MemberBoundary) => void,
) => AsyncIterable<Uint8Array>;

/**
 * The codecs a reader may use. A device without built-in zstd or xz hands in ones that start a program;
 * a missing one means "this artifact cannot be read here" and is said so by name.
 */
export type Decompressors = Readonly<Partial<Record<Exclude<CompressionName, 'none'>, ByteTransform>>>;

/** Contents of `header-info` (format clause 5.1), checked. */
export interface HeaderInfo {
  readonly artifactName: string;
  readonly artifactGroup?: string;
  /** Types of the payloads in order; `null` is the empty payload of a bootstrap artifact. */
  readonly payloadTypes: readonly (string | null)[];
  readonly depends: {
    readonly deviceTypes: readonly string[];
    readonly artifactNames?: readonly string[];
    readonly artifactGroups?: readonly string[];
  };
}

/** One payload's `type-info` and `meta-data` (format clauses 5.2 and 5.3), checked. */
export interface PayloadHeader {
  readonly type: string | null;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, readonly string[]>>;
  readonly clearsProvides?: readonly string[];
  readonly metaData?: Readonly<Record<string, unknown>>;
  /** The bytes as they stand in the artifact, for the update module's work tree. */
  readonly raw: { readonly typeInfo: Uint8Array; readonly metaData?: Uint8Array };
  /** Names and checksums of the payload's files, from the manifest, in manifest order. */
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

export type SignatureState = 'unsigned' | 'notVerified' | 'verified';

/**
 * A position from which reading can go on later: before `compressedOffset` (in the artifact's own bytes) all content up to
 * `uncompressedOffset` (in the payload's tar) is complete, and decompression can begin there anew.
 */
export interface RestartPoint {
  readonly payloadIndex: number;
  readonly compressedOffset: number;
  readonly uncompressedOffset: number;
}

/** A file of a payload as it streams by. Its content must be read to the end, or left by ending the iteration. */
export interface PayloadFile {
  readonly payloadIndex: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
  readonly sha256: string;
  /** Where the content begins in the payload's uncompressed tar; with it a `RestartPoint` becomes a position in this file. */
  readonly contentOffset: number;
  /** Where in the file `content` begins: absent for its first byte, otherwise where reading was resumed. */
  readonly resumedAt?: number;
  /**
   * Ends only after the checksum of the whole file was found right; throws `ArtifactError` otherwise. Its pieces may be kept if those of the
   * source may and those of the decompressor, which `blockingNodeDecompressors` takes back: otherwise see `copiesOf`.
   */
  readonly content: AsyncIterable<Uint8Array>;
}

/** An artifact whose header has been read, checked and (with keys given) proven genuine. */
export interface Artifact {
  readonly version: 2 | 3;
  readonly signature: SignatureState;
  readonly headerInfo: HeaderInfo;
  /** `header-info` as it stands in the artifact. */
  readonly rawHeaderInfo: Uint8Array;
  /** State scripts by base name, in the order found. */
  readonly scripts: readonly { readonly name: string; readonly content: Uint8Array }[];
  readonly payloads: readonly PayloadHeader[];
  readonly compression: CompressionName;
  /** Present when parts that no signature covers were laid over it (format clause 5.5). */
  readonly augmented?: true;
  /**
   * The payload files, in the order they stand. Running to the end proves the whole artifact: every checksum, every manifest
   * entry, nothing after the end. Can be iterated once.
   */
  readonly files: () => AsyncIterable<PayloadFile>;
  /** Lets go of the source when `files()` is not going to be iterated. Safe to call at any time. */
  readonly close: () => Promise<void>;
}

export interface PayloadArchivePlace {
  readonly payloadIndex: number;
  readonly compression: CompressionName;
  /** Of its content, in bytes from the beginning of the artifact. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Where the reading of an artifact that had broken off goes on: at a restart point inside the only file of its payload. */
export interface ResumeFrom {
  /** As `onRestartPoint` told it. */
  readonly point: RestartPoint;
  /** The file the point lies in, as it was given out then. Its checksum is that of the manifest. */
  readonly file: Pick<PayloadFile, 'name' | 'sizeBytes' | 'mode' | 'modifiedAt' | 'contentOffset'>;
  /** The file's content before the point, read back from where it was stored. It is hashed, not given out again. */
  readonly stored: () => AsyncIterable<Uint8Array>;
}

/** How to read; keys come from `parseVerificationKey`. */
export interface ReadOptions {
  /** Public keys, any of which may have signed. Absent or empty: the signature is not looked at. */
  readonly verificationKeys?: readonly KeyObject[];
  /** Called before anything behind the manifest is parsed, whether or not keys are given. Throw to refuse. */
  readonly onManifest?: (manifest: Uint8Array, signature: Uint8Array | undefined) => void;
  /** Default: `nodeDecompressors`. */
  readonly decompressors?: Decompressors;
  /**
   * Whether the parts an augmented artifact adds, which no signature covers (format clause 3.1), are taken. Default: only when no
   * verification keys are given.
   */
  readonly acceptAugmented?: boolean;
  /** Told where a payload's archive stands in the artifact, before the first of its files. */
  readonly onPayloadArchive?: (archive: PayloadArchivePlace) => void;
  /** Told of each position reading could begin at anew. */
  readonly onRestartPoint?: (point: RestartPoint) => void;
  /**
   * Goes on in the middle. The source must begin as the artifact does, up to where the payload's archive begins
   * (`onPayloadArchive`), and then leave out what stands before the point.
   */
  readonly resume?: ResumeFrom;
  readonly signal?: AbortSignal;
}
