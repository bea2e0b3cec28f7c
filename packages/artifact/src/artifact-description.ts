import type { CompressionName, HeaderInfo } from './artifact.ts';

/** What an artifact to be written is to say and hold. */
export interface ArtifactDescription {
  /** 2 knows no provides, depends, groups or payload types but rootfs-image; those are left out. Default 3. */
  readonly formatVersion?: 2 | 3;
  readonly artifactName: string;
  readonly artifactGroup?: string;
  readonly depends: HeaderInfo['depends'];
  readonly scripts?: readonly ScriptSource[];
  readonly payload: PayloadDescription;
  /** Parts laid over the payload that no signature covers (format clause 5.5). Its type may be '' to leave the type alone. */
  readonly augment?: PayloadDescription;
}

export interface ScriptSource {
  /** As `ArtifactInstall_Enter_00`. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** Most callers take one from `rootfsImage` or `moduleImage`, which fill in the defaults devices expect. */
export interface PayloadDescription {
  /** `null`: the empty payload of a bootstrap artifact. */
  readonly type: string | null;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, string | readonly string[]>>;
  readonly clearsProvides?: readonly string[];
  readonly metaData?: Readonly<Record<string, unknown>>;
  readonly files?: readonly PayloadFileSource[];
  /** Instead of `files`: the payload's archive of another artifact, which is taken over as it stands. */
  readonly packed?: PackedPayload;
  /** Also provide the SHA-256 of the first file under this key, unless `provides` has it. */
  readonly checksumProvide?: string;
}

/** A file on disk, or content that can be produced twice: it is hashed first and packed then. */
export type PayloadFileSource =
  | { readonly path: string; /** Default: the path's last component. */ readonly name?: string }
  | { readonly name: string; readonly sizeBytes: number; readonly open: () => AsyncIterable<Uint8Array> };

/** The software version a payload provides, and what it clears (`--software-filesystem` and so on in mender-artifact). */
export interface SoftwareOptions {
  /** Default `rootfs-image`. */
  readonly filesystem?: string;
  readonly name?: string;
  /** Default: the artifact's name. */
  readonly version?: string;
  /** No version unless `version` is given, and no default for what is cleared. */
  readonly noDefaultVersion?: boolean;
  readonly noDefaultClears?: boolean;
}

/** A payload's archive, compressed already. Its compression becomes that of the artifact. */
export interface PackedPayload {
  readonly compression: CompressionName;
  readonly sizeBytes: number;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly open: () => AsyncIterable<Uint8Array>;
}
