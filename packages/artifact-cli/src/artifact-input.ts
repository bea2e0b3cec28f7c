import { open } from 'node:fs/promises';
import { fileContent } from '@tandem/artifact';
import type { CommandLine } from './command-line.ts';
import { CommandError } from './exit-status.ts';
import { reasonOf } from './keys.ts';
import { progressBar, withProgress } from './progress.ts';
import type { World } from './world.ts';

/** The one operand of commands that read an artifact. Throws `CommandError`. */
export function artifactPath(line: CommandLine): string {
  const [path, ...others] = line.operands;
  if (path === undefined)
    throw new CommandError('invalidParameters', 'Nothing specified, nothing read. Name the artifact file.');
  if (others.length > 0)
    throw new CommandError('invalidParameters', `too many arguments: ${others.join(' ')}`);
  return path;
}

/** The bytes of an artifact file, each piece of which counts only until the next is asked for. Throws `CommandError` (cannotOpenInput). */
export async function openArtifact(
  path: string,
  line: CommandLine,
  world: World,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const file = await open(path, 'r');
    const { size } = await file.stat();
    return withProgress(fileContent(file), size, progressBar(world, line.has('no-progress')));
  } catch (cause) {
    throw new CommandError('cannotOpenInput', `cannot open the artifact ${path}: ${reasonOf(cause)}`, {
      cause,
    });
  }
}
