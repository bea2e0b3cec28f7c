import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { build } from 'vite';

/**
 * Builds the web interface into `dist`: `npm run build:web`, which `npm ci` runs by itself.
 * Each file has its compressed forms beside it, so that the server hands out bytes and compresses nothing.
 */
const directory = fileURLToPath(new URL('.', import.meta.url));
const outDir = `${directory}dist`;

await build({
  root: directory,
  configFile: false,
  // All lives below /ui: the rest of the address belongs to the API.
  base: '/ui/',
  plugins: [react()],
  logLevel: 'warn',
  // Inlined pictures would need `data:` in the content security policy.
  build: {
    outDir,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: 'es2022',
    modulePreload: { polyfill: false },
  },
});

const compressible = /\.(?:js|css|html|svg)$/;
for (const name of await readdir(outDir, { recursive: true })) {
  if (!compressible.test(name)) continue;
  const path = `${outDir}/${name}`;
  const content = await readFile(path);
  await writeFile(
    `${path}.br`,
    await promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  );
  await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
}
