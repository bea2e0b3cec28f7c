import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/**
 * The whole client in one file, for devices: it needs Node 20 and nothing else. It ends in `.mjs` so that it runs wherever it
 * is put, without a package.json beside it; links to it named `mender-update`, `mender-auth` or `mender` speak those command
 * lines. A plugin may change what is bundled, for proofs that a fault would be found.
 */
export async function buildBundle(outfile: string, plugins: readonly Plugin[] = []): Promise<void> {
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(import.meta.dirname, 'src', 'cli', 'bundle-entry.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['node:*'],
    banner: { js: '#!/usr/bin/env node' },
    // Names stay, for what a device's log shows of a fault; white space is a fifth of the file.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [...plugins],
  });
  await chmod(outfile, 0o755);
}

if (import.meta.main) await buildBundle(join(import.meta.dirname, 'dist', 'tandem-update.mjs'));
