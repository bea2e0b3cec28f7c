export * from './artifact.ts';
export type * from './artifact-description.ts';
export { ArtifactError, artifactErrorCodes, type ArtifactErrorCode } from './errors.ts';
export {
  compressionOfName,
  extensionOf,
  nodeDecompressors,
  blockingNodeDecompressors,
} from './compression.ts';
export { nodeCompressors, type Compressors, type SegmentCompressor } from './compress-segments.ts';
export {
  moduleImage,
  rootfsImage,
  type ModuleImageOptions,
  type RootfsImageOptions,
} from './default-provides.ts';
export { programDecompressor, type ProgramOptions } from './program-decompressor.ts';
export {
  decodeSignature,
  ecdsaSignatureFromDer,
  isSignedByAny,
  parseVerificationKey,
  signerFromPrivateKey,
  type Signer,
} from './signature.ts';
export { copiesOf, fileContent, type FileRange } from './file-content.ts';
export { openArtifactFile, type OpenedArtifact } from './open-artifact.ts';
export { readArtifact } from './read-artifact.ts';
export { signArtifactFile, type SignOptions } from './sign-artifact.ts';
export { writeArtifact, writeArtifactFile, type WriteOptions } from './write-artifact.ts';
export { isStateScriptName } from './state-script.ts';
