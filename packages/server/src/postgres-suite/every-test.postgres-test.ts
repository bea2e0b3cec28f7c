import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPostgres, type RunningPostgres } from '../testing/start-postgres.ts';

/**
 * Every test that asks for a database without saying which (`everyDatabase`) once more, on PostgreSQL; and those of the whole
 * server a third time, their requests going in turn to two servers on one PostgreSQL.
 */
const sources = fileURLToPath(new URL('..', import.meta.url));

const onAnyDatabase = /every-database\.ts|whole-server\.ts|test-server\.ts/;
const onWholeServer = /startWholeServer/;

/** Tests that start processes themselves, on SQLite. */
const ofProcesses = /startServerProcess/;

/** What a server knows by itself alone for a while; no other has to know it at once. */
const ofOneServer = {
  'show when a device was last heard of':
    'check-in times wait half a minute in memory before they are stored',
  'is bounded: ten failures a minute': 'each server counts failed logins by itself',
} as const;

const tests: { readonly path: string; readonly text: string }[] = [];
for await (const path of glob('**/*.test.ts', { cwd: sources })) {
  tests.push({ path, text: await readFile(join(sources, path), 'utf8') });
}
tests.sort((a, b) => (a.path < b.path ? -1 : 1));

let postgres: RunningPostgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.stop());

describe('on PostgreSQL', { concurrency: 2 }, () => {
  const those = tests.filter(({ text }) => onAnyDatabase.test(text) && !ofProcesses.test(text));
  for (const { path } of those) it(path, () => passes(path, {}, []));
});

describe('on two servers in turn', { concurrency: 2 }, () => {
  const those = tests.filter(({ text }) => onWholeServer.test(text) && !ofProcesses.test(text));
  for (const { path } of those)
    it(path, () => passes(path, { TANDEM_TEST_SERVERS: '2' }, Object.keys(ofOneServer)));
});

async function passes(
  path: string,
  more: Readonly<Record<string, string>>,
  without: readonly string[],
): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const left = without.map((name) => `--test-skip-pattern=${name}`);
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...left, join(sources, path)], {
    env: { ...environment, TANDEM_TEST_POSTGRES: postgres.url, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => void printed.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => void printed.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  const text = Buffer.concat(printed).toString();
  const failures = text.slice(Math.max(0, text.indexOf('failing tests:')));
  assert.equal(code, 0, `${path} fails:\n${failures}`);
  assert.doesNotMatch(text, /^ℹ tests 0$/m, `${path} has no test`);
}
