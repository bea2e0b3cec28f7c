/** What can be wrong with an artifact, or with the request to read or write one. */
export const artifactErrorCodes = [
  'truncated', //           the bytes end before the artifact does
  'malformedTar', //        a tar header that cannot be right
  'unexpectedMember', //    a member where the format has none of that name, or of that kind
  'missingMember', //       a member the format needs is not there
  'unsupportedVersion',
  'malformedVersion',
  'malformedManifest',
  'malformedHeader', //     header-info, type-info, files, meta-data
  'forbiddenName', //       a file or script name that could leave its directory, or that no device accepts
  'checksumMismatch',
  'unlistedFile', //        in the artifact but not in the manifest
  'signatureMissing',
  'signatureMalformed',
  'signatureInvalid',
  'tooLarge', //            a bound of `limits.ts` is passed
  'corruptCompression',
  'noDecompressor', //      this machine has no means to read or write that compression
  'unusableKey',
  'alreadySigned',
  'invalidDescription', //  what was asked to be written cannot be an artifact
  'unreadableInput', //     a source file to be packed changed or cannot be read
] as const;
export type ArtifactErrorCode = (typeof artifactErrorCodes)[number];

export interface ArtifactErrorFacts {
  /** The member of the artifact the fault is in, as `data/0000.tar.gz` or `header.tar.gz: header-info`. */
  readonly member?: string | undefined;
  /** Bytes from the beginning of the artifact; within a compressed member, of that member's content. */
  readonly offset?: number | undefined;
  readonly cause?: unknown;
}

/** The one error of this package. `message` names member and offset, says what is wrong and what to do. */
export class ArtifactError extends Error {
  readonly code: ArtifactErrorCode;
  readonly member: string | undefined;
  readonly offset: number | undefined;

  constructor(code: ArtifactErrorCode, message: string, facts: ArtifactErrorFacts = {}) {
    const place = facts.member === undefined ? 'artifact' : facts.member;
    const at = facts.offset === undefined ? '' : ` (byte ${facts.offset})`;
    super(`${place}${at}: ${message}`, facts.cause === undefined ? {} : { cause: facts.cause });
    this.name = 'ArtifactError';
    this.code = code;
    this.member = facts.member;
    this.offset = facts.offset;
  }
}
