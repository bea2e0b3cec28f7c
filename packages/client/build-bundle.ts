import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/**
 * The whole client in one file, for devices: it needs Node 20 and nothing else. It ends in `.mjs` so that it runs wherever it
 * is put, without a package.json beside it; links to it named `mender-update`, `mender-auth` or `mender` speak those command
 * lines. More plugins may change what is bundled, for proofs that a fault would be found; another entry makes another program of the
 * sources, for tests that start it often: a bundle starts in a tenth of the time.
 */
export async function buildBundle(
  outfile: string,
  plugins: readonly Plugin[] = [],
  entry = join(import.meta.dirname, 'src', 'cli', 'bundle-entry.ts'),
): Promise<void> {
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['node:*'],
    banner: {
      // From any absolute path: what is required is of Node itself, and a single executable may not know its own.
      js: '#!/usr/bin/env node\nimport{createRequire}from"node:module";const require=createRequire("/");',
    },
    plugins: [requiredHttp, ...plugins],
    // Names stay, for what a device's log shows of a fault; white space is a fifth of the file.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  await chmod(outfile, 0o755);
}

/**
 * Imported as a module, `node:http` has all its exports evaluated, and with them Node's client for WebSockets, which nothing here
 * uses and which takes 4 MiB of memory. Required, it has not.
 */
const requiredHttp: Plugin = {
  name: 'required-http',
  setup: (bundle) => {
    bundle.onResolve({ filter: /^node:http$/ }, ({ path, namespace }) =>
      namespace === 'required' ? { path, external: true } : { path, namespace: 'required' },
    );
    bundle.onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

if (import.meta.main) await buildBundle(join(import.meta.dirname, 'dist', 'tandem-update.mjs'));
