import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

/* Slow: each writes and reads an image of 300 MiB in a process of its own. */

const directory = await mkdtemp(join(tmpdir(), 'artifact-memory-'));
after(() => rm(directory, { recursive: true }));

const imageMiB = 300;
const image = join(directory, 'image');
const sparse = await open(image, 'w');
await sparse.truncate(imageMiB * 1024 * 1024);
// Something in every segment, so that none is passed over as empty space.
for (let at = 0; at < imageMiB; at += 1) await sparse.write(`block ${at}`, at * 1024 * 1024);
await sparse.close();

const program = fileURLToPath(new URL('test-data/write-and-read.ts', import.meta.url));

for (const compression of ['none', 'gzip', 'zstd', 'lzma'] as const) {
  test(`an image of ${imageMiB} MiB never sits in memory (${compression})`, () => {
    const out = execFileSync(process.execPath, [
      '--max-old-space-size=48',
      program,
      image,
      compression,
      directory,
    ]);
    const { contentBytes, peakMiB } = JSON.parse(out.toString()) as { contentBytes: number; peakMiB: number };
    assert.equal(contentBytes, imageMiB * 1024 * 1024);
    const boundMiB = compression === 'lzma' ? 400 : 250;
    assert.ok(peakMiB < boundMiB, `peak ${Math.round(peakMiB)} MiB`);
  });
}
