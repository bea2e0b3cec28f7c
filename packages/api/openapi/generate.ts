import { readFile, writeFile } from 'node:fs/promises';
import { allEndpoints } from '../src/all-endpoints.ts';
import { openApiDocument } from '../src/open-api.ts';

/**
 * Writes the OpenAPI document beside this file; with `--check` says whether the one there is fresh, and exits 1 if not. Another
 * file may be named.
 */
const path =
  process.argv.slice(2).find((given) => !given.startsWith('--')) ?? new URL('tandem.json', import.meta.url);
const fresh = `${JSON.stringify(openApiDocument(allEndpoints, '1'), null, 2)}\n`;

if (process.argv.includes('--check')) {
  const stored = await readFile(path, 'utf8').catch(() => '');
  if (stored !== fresh) {
    process.stderr.write(`${difference(stored, fresh)}\nRun: node packages/api/openapi/generate.ts\n`);
    process.exitCode = 1;
  }
} else {
  await writeFile(path, fresh);
}

function difference(stored: string, wanted: string): string {
  const [old, now] = [stored.split('\n'), wanted.split('\n')];
  const line = now.findIndex((text, index) => text !== old[index]);
  const at = line === -1 ? now.length : line;
  return [
    `packages/api/openapi/tandem.json is stale from line ${at + 1} on (${old.length} lines, should be ${now.length}):`,
    `- ${old[at] ?? '(end of file)'}`,
    `+ ${now[at] ?? '(end of file)'}`,
  ].join('\n');
}
