import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { boardKeys, type BoardKey } from './board-keys.ts';
import { hookPoints } from './hooks.ts';

const text = await readFile(join(import.meta.dirname, '../../../docs/how-to/add-a-board.md'), 'utf8');

/** The rows of a table behind its mark, cells without the spaces that align them. */
function tableOf(name: string): string[][] {
  const from = text.indexOf(`<!-- table: ${name} -->`);
  const lines = text.slice(from, text.indexOf('<!-- end -->', from)).split('\n');
  const rows = lines
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return rows.slice(2);
}

test('how to add a board shows every key as the builder knows it', () => {
  const shown = ({ type, fallback }: BoardKey): [string, string] => [
    typeof type === 'object' ? type.join(', ') : type,
    fallback === undefined ? 'needed' : fallback === '' ? '' : `\`${JSON.stringify(fallback)}\``,
  ];
  const rows = Object.entries<BoardKey>(boardKeys).map(([name, key]) => [
    `\`${name}\``,
    ...shown(key),
    key.meaning,
  ]);
  assert.deepEqual(tableOf('keys'), rows);
});

test('how to add a board shows every point for hooks', () => {
  assert.deepEqual(
    tableOf('hooks'),
    Object.entries(hookPoints).map(([name, when]) => [`\`${name}\``, when]),
  );
});
