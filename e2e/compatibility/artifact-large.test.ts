import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { moduleImage, readArtifact, writeArtifactFile } from '@tandem/artifact';

/* Slow: a payload over 8 GiB, where tar headers run out of digits, from a sparse file; compressed it is small. */

const peer = '/usr/bin/mender-artifact';
const directory = mkdtempSync(join(tmpdir(), 'artifact-large-'));
after(() => rmSync(directory, { recursive: true }));

const GiB = 1024 ** 3;

for (const sizeBytes of [8 * GiB + 1]) {
  const sizeGiB = Math.floor(sizeBytes / GiB);
  test(
    `a payload of over ${sizeGiB} GiB is written and read right, and the peer accepts it`,
    { timeout: 300_000 },
    async () => {
      const image = join(directory, 'image');
      writeFileSync(image, '');
      truncateSync(image, sizeBytes);
      const path = join(directory, 'large.mender');
      const payload = moduleImage({ artifactName: 'large', type: 'm', files: [{ path: image }] });
      await writeArtifactFile({ artifactName: 'large', depends: { deviceTypes: ['d'] }, payload }, path, {
        compression: 'gzip',
        level: 1,
      });
      assert.ok(statSync(path).size < sizeBytes / 200);
      const artifact = await readArtifact(createReadStream(path));
      let read = 0;
      for await (const file of artifact.files()) {
        assert.equal(file.sizeBytes, sizeBytes);
        for await (const piece of file.content) read += piece.length;
      }
      assert.equal(read, sizeBytes);

      assert.equal(spawnSync(peer, ['validate', path]).status, 0);
      rmSync(path);
      rmSync(image);
    },
  );
}
