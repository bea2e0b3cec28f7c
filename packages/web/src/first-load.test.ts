import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const dist = new URL('../dist/', import.meta.url);
/** Compressed, of all that comes before the first page stands. */
const limitBytes = 300 * 1024;

const read = (path: string): Promise<Buffer> =>
  readFile(new URL(path, dist)).catch((cause: unknown) => {
    throw new Error(`the built interface has no ${path}; build it first: npm run build:web`, { cause });
  });

test('the first page comes in less than 300 KiB', async () => {
  const index = await read('index.html');
  const assets = await readdir(new URL('assets/', dist));
  const dashboard = assets.filter((name) => /^dashboard-page-.*\.(?:js|css)$/.test(name));
  assert.ok(dashboard.length >= 1, 'the dashboard is a chunk of its own');
  const waiting = [...index.toString().matchAll(/assets\/([\w.-]+)/g)].map(([, name = '']) => name);
  waiting.push(...dashboard);
  const sizes = new Map<string, number>([['index.html', gzipSync(index, { level: 9 }).length]]);
  for (const name of waiting) {
    if (sizes.has(name)) continue;
    const content = await read(`assets/${name}`);
    sizes.set(name, gzipSync(content, { level: 9 }).length);
    // What a script imports by itself comes with it; what it imports on demand does not.
    if (!name.endsWith('.js')) continue;
    for (const [, imported = ''] of content.toString().matchAll(/(?:from|import)\s*"\.\/([\w.-]+)"/g)) {
      waiting.push(imported);
      waiting.push(...assets.filter((other) => isStyleOf(other, imported)));
    }
  }
  const total = sizes.values().reduce((sum, size) => sum + size, 0);
  assert.ok(total > 50 * 1024, `only ${total} bytes were found: this test reads the wrong files`);
  assert.ok(total < limitBytes, `${total} bytes: ${JSON.stringify(Object.fromEntries(sizes))}`);
});

/** `button-1a2b3c4d.css` belongs to `button-5e6f7a8b.js`. */
const isStyleOf = (style: string, script: string): boolean =>
  style.endsWith('.css') &&
  style.slice(0, -'-12345678.css'.length) === script.slice(0, -'-12345678.js'.length);
