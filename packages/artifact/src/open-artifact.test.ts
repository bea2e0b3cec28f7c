import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { segmentBytes } from './limits.ts';
import { openArtifactFile } from './open-artifact.ts';
import { compressors, decompressors, rootfsArtifact } from './test-data/sample.ts';
import { noise } from './test-data/streams.ts';
import { writeArtifactFile } from './write-artifact.ts';

const directory = await mkdtemp(join(tmpdir(), 'open-artifact-'));
after(() => rm(directory, { recursive: true }));

for (const compression of ['none', 'gzip', 'zstd'] as const) {
  test(`the pieces of a file taken out of an artifact may be kept (${compression})`, async () => {
    const image = noise(2 * segmentBytes + 100_000);
    const path = join(directory, `${compression}.mender`);
    await writeArtifactFile(rootfsArtifact(image), path, { compression, compressors });
    const { files } = await openArtifactFile(path, { decompressors });
    const kept: Uint8Array[] = [];
    const [file] = files;
    assert.ok(file !== undefined && 'open' in file);
    for await (const piece of file.open()) kept.push(piece);
    assert.ok(Buffer.concat(kept).equals(image));
  });
}
