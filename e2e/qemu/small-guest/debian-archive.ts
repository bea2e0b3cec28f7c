import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runProgram } from '@tandem/demo';

const limitMs = 300_000;

/**
 * The Debian archive this machine uses, through an apt of its own in `directory`: the machine's sources, read for another processor or for source
 * packages, and none of its state. `fetch` leaves what it fetched in `directory`.
 */
export async function debianArchive(directory: string, what: 'amd64' | 'arm64' | 'sources') {
  for (const part of ['sources', 'lists/partial', 'cache/archives/partial'])
    await mkdir(join(directory, part), { recursive: true });
  await writeFile(join(directory, 'status'), '');
  for (const list of await machineSources()) {
    const text = await readFile(list, 'utf8');
    const asked = text
      .replaceAll(/^Types:.*$/gm, 'Types: deb-src')
      .replaceAll(/^deb(?:-src)?\s/gm, 'deb-src ');
    await writeFile(join(directory, 'sources', basename(list)), what === 'sources' ? asked : text);
  }
  const options = [
    ['Dir::Etc::sourcelist', '/dev/null'],
    ['Dir::Etc::sourceparts', join(directory, 'sources')],
    ['Dir::State::lists', join(directory, 'lists')],
    ['Dir::State::status', join(directory, 'status')],
    ['Dir::Cache', join(directory, 'cache')],
    // The sources may name this machine's own processor; what is asked for by name is found all the same.
    ...(what === 'sources'
      ? []
      : [
          ['APT::Architecture', what],
          ['APT::Architectures', what],
        ]),
  ].flatMap(([name, value]) => ['-o', `${String(name)}=${String(value)}`]);
  const apt = (program: string, ...args: string[]) =>
    // Files come to where apt-get is run.
    runProgram('sh', ['-c', 'cd "$0" && exec "$@"', directory, program, ...options, ...args], {
      timeoutMs: limitMs,
    });
  // Other sources of this machine may not have what is asked for; whether Debian's has is seen by the next step.
  const updated = await apt('apt-get', '-qq', 'update').catch((error: unknown) => error);
  return {
    fetch: async (...args: readonly string[]): Promise<void> => {
      try {
        await apt('apt-get', '-qq', ...args);
      } catch (cause) {
        throw new Error(`apt-get ${args.join(' ')} failed`, {
          cause: updated instanceof Error ? updated : cause,
        });
      }
    },
    /** The packages one depends on at once. */
    dependenciesOf: async (name: string): Promise<string[]> =>
      [...(await apt('apt-cache', 'depends', name)).matchAll(/^ *Depends: (\S+)$/gm)].map(
        ([, found = '']) => found,
      ),
  };
}

async function machineSources(): Promise<string[]> {
  const directory = '/etc/apt/sources.list.d';
  const lists = (await readdir(directory)).filter((name) => /\.(list|sources)$/.test(name));
  return ['/etc/apt/sources.list', ...lists.map((name) => join(directory, name))].filter((path) =>
    existsSync(path),
  );
}
