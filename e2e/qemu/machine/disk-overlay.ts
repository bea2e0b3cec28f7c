import { runProgram } from '@tandem/demo';

/** A disk that begins as `base` and keeps its own changes, in a file at `path`; `base` stays as it is. As large as it, or of `sizeBytes`. */
export async function makeOverlay(base: string, path: string, sizeBytes?: number): Promise<string> {
  const size = sizeBytes === undefined ? [] : [String(sizeBytes)];
  await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', path, ...size]);
  return path;
}
