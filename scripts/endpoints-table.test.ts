import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { allEndpoints } from '@tandem/api';

const project = join(import.meta.dirname, '..');

/** The rows of the table below "Endpoints and how each is proven", as cells. */
const rows = readFileSync(join(project, 'docs/compatibility.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| (?:DELETE|GET|PATCH|POST|PUT) \//.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test('docs/compatibility.md tells of every endpoint we have, once, and of no other', () => {
  const ours = allEndpoints.map(({ method, path }) => `${method} ${path}`).toSorted();
  assert.deepEqual(rows.map(([endpoint = '']) => endpoint).toSorted(), ours);
});

test('the tests it names as proofs are there', () => {
  for (const [endpoint, , , ...proofs] of rows) {
    for (const [, name = ''] of proofs.join(' ').matchAll(/`([^`]+)`/g)) {
      const found = globSync(`packages/server/src/${name}.{test,s3-test,postgres-test}.ts`, { cwd: project });
      assert.equal(found.length, 1, `${endpoint}: ${name}`);
    }
  }
});
