import { delimiter, join } from 'node:path';
import type { Files } from './system.ts';

/** Where a program is on the search path (PATH); undefined when it is not installed. */
export async function findProgram(
  files: Pick<Files, 'kind'>,
  program: string,
  searchPath: string,
): Promise<string | undefined> {
  for (const directory of searchPath.split(delimiter)) {
    const path = join(directory, program);
    const found = directory === '' ? undefined : await files.kind(path);
    if (found?.kind === 'file' && found.executable) return path;
  }
  return undefined;
}
