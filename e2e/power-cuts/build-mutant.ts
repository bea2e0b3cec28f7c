import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buildBundle } from '../../packages/client/build-bundle.ts';
import type { Mutant } from './mutants.ts';

const project = resolve(import.meta.dirname, '../..');

/** Bundles the client, or another program of its sources, with one place changed; the sources themselves stay as they are. */
export async function buildMutant(
  { file, from, to }: Mutant,
  outfile: string,
  entry?: string,
): Promise<void> {
  const path = resolve(project, file);
  const contents = withChange(await readFile(path, 'utf8'), { file, from, to });
  await buildBundle(
    outfile,
    [
      {
        name: 'mutant',
        setup: (build) => {
          build.onLoad({ filter: /\.ts$/ }, (loaded) =>
            loaded.path === path ? { contents, loader: 'ts' } : undefined,
          );
        },
      },
    ],
    entry,
  );
}

/** Throws when the place is not there exactly once: a mutant that changes nothing would be found by nobody. */
export function withChange(text: string, { file, from, to }: Pick<Mutant, 'file' | 'from' | 'to'>): string {
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`The mutant's place is not once in ${file}. Bring mutants.ts up to date: ${from}`);
  }
  return before + to + after;
}
