import { createHash } from 'node:crypto';
import { ArtifactError } from './errors.ts';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Throws `ArtifactError` (checksumMismatch). Checksums are no secrets: a plain comparison will do. */
export function assertChecksum(actual: string, expected: string, member: string): void {
  if (actual === expected) return;
  throw new ArtifactError(
    'checksumMismatch',
    `its SHA-256 is ${actual}, but the manifest says ${expected}; the artifact was damaged or altered`,
    { member },
  );
}
