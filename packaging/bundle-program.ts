import { readFile, rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { build as runEsbuild, type Metafile, type Plugin } from 'esbuild';

export interface ProgramBundle {
  /** The project's directory. */
  readonly project: string;
  /** The file the program begins in; its bundle has that name, with `.js`. */
  readonly entry: string;
  /** Emptied, and filled with the program: it runs with `node DIRECTORY/ENTRY.js`, with nothing beside it. */
  readonly directory: string;
  /** esbuild's name of the oldest Node it must run on, such as `node26`. */
  readonly target: string;
  /** Modules that are not taken in: native code with a substitute at run time. */
  readonly external: readonly string[];
  /** Files and directories beside the source that lie elsewhere in an installation: `new URL(KEY, import.meta.url)` names VALUE. */
  readonly places?: Readonly<Record<string, string>>;
}

/**
 * Builds a program without its dependencies' thousands of files: what is loaded late stays a file of its own. A worker thread comes
 * along by itself, written as `new URL('./some-worker.ts', import.meta.url)`. Returns the npm packages that are in it.
 */
export async function bundleProgram({
  project,
  entry,
  directory,
  target,
  external,
  places = {},
}: ProgramBundle): Promise<string[]> {
  const entries = new Set([resolve(project, entry)]);
  for (;;) {
    // Each time: the pieces of a program that did not know of its worker have other names than those of one that does.
    await rm(directory, { recursive: true, force: true });
    const workers = new Set<string>();
    const { metafile } = await runEsbuild({
      absWorkingDir: project,
      entryPoints: [...entries],
      outdir: directory,
      entryNames: '[name]',
      // Beside the entries: a chunk finds a worker by its own place.
      chunkNames: '[name]-[hash]',
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      target,
      external: [...external],
      banner: { js: requireForCommonJs },
      plugins: [rewrittenUrls(places, workers)],
      legalComments: 'none',
      metafile: true,
      logLevel: 'error',
    });
    const known = entries.size;
    for (const worker of workers) entries.add(worker);
    if (entries.size === known) return npmPackages(metafile);
  }
}

/** CommonJS inside of the bundle asks for Node's own modules by `require`, which an ES module does not have. */
const requireForCommonJs =
  "import { createRequire as createRequireForBundle } from 'node:module'; const require = createRequireForBundle(import.meta.url);";

/**
 * `new URL('./x.ts', import.meta.url)` becomes the bundle of x, which is found beside every other; other places are looked up.
 * What is in neither would be missing where it is installed.
 */
const rewrittenUrls = (places: Readonly<Record<string, string>>, workers: Set<string>): Plugin => ({
  name: 'urls',
  setup: (build) => {
    build.onLoad({ filter: /\.tsx?$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replaceAll(
        /new URL\(\s*'(\.[^']+)',\s*import\.meta\.url\s*\)/g,
        (_all, named: string) => {
          const place = places[named];
          if (place !== undefined) return `new URL('${place}', import.meta.url)`;
          if (!named.endsWith('.ts'))
            throw new Error(`${path}: ${named} is nowhere in an installation; say where by \`places\``);
          workers.add(resolve(dirname(path), named));
          return `new URL('./${basename(named, '.ts')}.js', import.meta.url)`;
        },
      );
      return { contents, loader: 'ts' };
    });
  },
});

const npmPackages = ({ inputs }: Metafile): string[] =>
  [
    ...new Set(
      Object.keys(inputs).flatMap((path) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[0] ?? []),
    ),
  ].toSorted();
