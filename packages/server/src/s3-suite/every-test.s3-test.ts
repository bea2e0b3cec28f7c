import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { environmentOf, startSwift, type RunningSwift } from '../testing/start-swift.ts';

/** The tests of what is stored once more, in a bucket: those that ask for a storage without saying which (`everyStorage`). */
const sources = fileURLToPath(new URL('..', import.meta.url));

const tests = [
  'object-storage/object-storage.test.ts',
  'object-storage/download.test.ts',
  'releases/artifact-upload.test.ts',
  'releases/artifact-generation.test.ts',
  'releases/releases.test.ts',
  'deployments/device-updates.test.ts',
  'deployments/deployments.test.ts',
];

let swift: RunningSwift;
before(async () => {
  swift = await startSwift();
});
after(() => swift.stop());

describe('in a bucket', () => {
  for (const path of tests) it(path, () => passes(path));
});

async function passes(path: string): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', join(sources, path)], {
    env: { ...environment, ...environmentOf(swift) },
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
