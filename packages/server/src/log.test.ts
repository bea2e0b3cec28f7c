import assert from 'node:assert/strict';
import { it } from 'node:test';
import { jsonLog, lineLog } from './log.ts';

it('a line of the log stays one line, whatever comes from outside', () => {
  const lines: string[] = [];
  const log = lineLog(
    (line) => lines.push(line()),
    () => 0,
  );
  log('info', 'GET /x\nforged\u001b[2J', { path: 'a b\n"c"', count: 3, missing: undefined });
  assert.deepEqual(lines, [
    '1970-01-01T00:00:00.000Z info GET /x\\nforged\\u001b[2J path="a b\\n\\"c\\"" count=3\n',
  ]);
});

it('a log of JSON has an object a line, with the same fields', () => {
  const lines: string[] = [];
  jsonLog(
    (line) => lines.push(line()),
    () => 0,
  )('info', 'GET /x\nforged', { request: 'r', missing: undefined });
  assert.deepEqual(lines, [
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"GET /x\\nforged","request":"r"}\n',
  ]);
});
