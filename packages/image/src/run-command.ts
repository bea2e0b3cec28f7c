import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactError } from '@tandem/artifact';
import { build } from './build.ts';
import { readBoard } from './board.ts';
import { help, readCommandLine } from './command-line.ts';
import { ImageError } from './image-error.ts';
import type { World } from './world.ts';

/** 2 is for a command line that cannot be understood, as everywhere. */
export const exitStatus = { ok: 0, failed: 1, badArguments: 2 } as const;

/** Runs what the arguments ask for and answers the exit status; faults are told on stderr, never as a stack. */
export async function runCommand(args: readonly string[], world: World): Promise<number> {
  try {
    const asked = readCommandLine(args);
    if (asked.command === 'help') {
      world.stdout.write(`${help()}\n`);
      return exitStatus.ok;
    }
    if (asked.command === 'boards') {
      for (const line of await boards(world.boardDirectory)) world.stdout.write(`${line}\n`);
      return exitStatus.ok;
    }
    const written = await build(asked.options, world);
    if (written !== undefined && !asked.options.quiet)
      for (const path of [written.image, written.artifact, written.bootstrapArtifact, ...written.others])
        world.stdout.write(`${path}\n`);
    return exitStatus.ok;
  } catch (error) {
    if (world.signal.aborted) {
      world.stderr.write('interrupted; nothing is left behind\n');
      return exitStatus.failed;
    }
    if (!(error instanceof ImageError) && !(error instanceof ArtifactError) && !isSystemFault(error))
      throw error;
    world.stderr.write(`tandem-image: ${(error as Error).message}\n`);
    return error instanceof ImageError && error.code === 'badArguments'
      ? exitStatus.badArguments
      : exitStatus.failed;
  }
}

async function boards(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).toSorted();
  const all = await Promise.all(names.map((name) => readBoard(join(directory, name))));
  return all.map(({ name, summary }) => `${name.padEnd(28)} ${summary}`);
}

/** A fault of files, which names what it was about; anything else is a fault of ours and shows its stack. */
const isSystemFault = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
