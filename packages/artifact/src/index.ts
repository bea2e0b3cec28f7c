export * from './artifact.ts';
export { ArtifactError, artifactErrorCodes, type ArtifactErrorCode } from './errors.ts';
export { extensionOf, nodeDecompressors } from './compression.ts';
export { parseVerificationKey, signerFromPrivateKey, type Signer } from './signature.ts';
export { readArtifact } from './read-artifact.ts';
export { isStateScriptName } from './state-script.ts';
