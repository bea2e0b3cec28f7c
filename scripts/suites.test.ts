import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { programs, suites, type Suite } from './suites.ts';

const rowOf = ([name, suite]: [string, Suite]): string[] => [
  name,
  `${String(suite.budgetSeconds)} s`,
  [...new Set(suite.needs.map((program) => programs[program].package))].join(', '),
  suite.everywhere ? 'yes' : '`npm run test:all`',
];

test('CONTRIBUTING tells each suite with its budget and its needs, as they are', () => {
  const text = readFileSync(join(import.meta.dirname, '..', 'CONTRIBUTING.md'), 'utf8');
  const table = text.slice(text.indexOf('| suite'), text.indexOf('`npm test` takes'));
  const told = table
    .trim()
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  assert.deepEqual(told, Object.entries(suites).map(rowOf));
});

test('every test belongs to one suite, so that none is forgotten', () => {
  const root = join(import.meta.dirname, '..');
  const inSuites = Object.values(suites).flatMap(({ files }) => globSync(files, { cwd: root }));
  const everywhere = globSync('{scripts,bench,packaging,e2e,packages/*/src}/**/*{.,-}test.ts', { cwd: root });
  assert.deepEqual(inSuites.toSorted(), everywhere.toSorted());
});
