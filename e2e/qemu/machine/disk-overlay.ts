import { runProgram } from '@tandem/demo';

/** A disk that begins as `base` and keeps its own changes, in a file at `path`; `base` stays as it is. */
export async function makeOverlay(base: string, path: string): Promise<string> {
  await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', path]);
  return path;
}
