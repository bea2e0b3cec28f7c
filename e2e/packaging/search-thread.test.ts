import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { bundleProgram } from '../../packaging/bundle-program.ts';
import type * as SearchQueriesModule from '../../packages/server/src/database/search-queries.ts';

const project = join(import.meta.dirname, '..', '..');

it('a server that was built finds the program of the thread that searches', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-search-bundle-'));
  try {
    const path = join(directory, 'test.sqlite');
    const bundle = join(directory, 'bundle');
    new DatabaseSync(path).close();
    const entry = 'packages/server/src/database/search-queries.ts';
    await bundleProgram({ project, entry, directory: bundle, target: 'node26', external: [] });
    const { searchQueries } = (await import(
      pathToFileURL(join(bundle, 'search-queries.js')).href
    )) as typeof SearchQueriesModule;
    const queries = searchQueries(
      { path, busyTimeoutMs: 1000 },
      { atOnce: 1, runMs: 5000, waitMs: 5000, maxWaiting: 1 },
    );
    const sql = "SELECT 'cow' REGEXP ? AS found";
    assert.deepEqual(await queries.run({ sql, parameters: ['^c.w$'] }), [{ found: 1 }]);
    await queries.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});
