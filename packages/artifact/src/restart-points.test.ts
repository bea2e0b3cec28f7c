import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteTransform, RestartPoint } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { gunzip } from './gunzip.ts';
import { segmentBytes } from './limits.ts';
import { readArtifact } from './read-artifact.ts';
import { readTar } from './tar/read-tar.ts';
import { artifactBytes, decompressors, rootfsArtifact } from './test-data/sample.ts';
import { gather, noise, piecesOf } from './test-data/streams.ts';
import { goodBytes } from './test-data/golden.ts';

const image = noise(2 * segmentBytes + 1_234_567);

async function pointsOf(bytes: Uint8Array, codecs = decompressors) {
  const points: (RestartPoint & { readonly toldAfterBytes: number })[] = [];
  let taken = 0;
  const onRestartPoint = (point: RestartPoint) => void points.push({ ...point, toldAfterBytes: taken });
  const artifact = await readArtifact(piecesOf(bytes, 65_536), { decompressors: codecs, onRestartPoint });
  let contentOffset = 0;
  for await (const file of artifact.files()) {
    contentOffset = file.contentOffset;
    for await (const piece of file.content) taken += piece.length;
  }
  return { points, contentOffset };
}

/** What a resumed download gets of the payload's archive, which is the last member. */
async function* archiveFrom(bytes: Uint8Array, point: RestartPoint): AsyncIterable<Uint8Array> {
  const tar = readTar(new ByteReader(piecesOf(bytes)));
  let end = 0;
  for (let entry = await tar.next(); entry !== undefined; entry = await tar.next())
    end = entry.contentOffset + entry.sizeBytes;
  yield* piecesOf(bytes.subarray(point.compressedOffset, end), 50_000);
}

const codecs = { none: undefined, ...decompressors } as const;
for (const compression of ['none', 'gzip', 'lzma', 'zstd'] as const) {
  test(`decompression can begin anew at each restart point (${compression})`, async () => {
    const bytes = await artifactBytes(rootfsArtifact(image), { compression });
    const { points, contentOffset } = await pointsOf(bytes);
    assert.ok(points.length >= 2, `${points.length} points in ${image.length} bytes`);
    for (const point of points) {
      const decompress: ByteTransform = codecs[compression] ?? ((source) => source);
      const fileOffset = point.uncompressedOffset - contentOffset;
      const expected = image.subarray(fileOffset);
      const content = await gather(decompress(archiveFrom(bytes, point)));
      assert.ok(content.subarray(0, expected.length).equals(expected), `from ${point.compressedOffset}`);
      assert.ok(
        point.toldAfterBytes >= Math.min(fileOffset, image.length),
        'a point is told only when all before it was taken',
      );
    }
  });
}

test('an artifact of the reference, one member in all, has no points', async () => {
  assert.deepEqual((await pointsOf(goodBytes('01-v3-rootfs-gzip.mender'))).points, []);
});

test('gzip members of any size and number are followed', async () => {
  const { gzipSync } = await import('node:zlib');
  const parts = [0, 1, 5, 300_000, 0, 2].map((size, index) => noise(size, index));
  const boundaries: number[] = [];
  const members = parts.map((part) => gzipSync(part));
  const content = await gather(
    gunzip(piecesOf(Buffer.concat(members), 7), ({ contentBytes }) => boundaries.push(contentBytes)),
  );
  assert.ok(content.equals(Buffer.concat(parts)));
  assert.deepEqual(boundaries, [0, 1, 6, 300_006, 300_006, 300_008]);
});

test('thousands of tiny gzip members are read in a moment', { timeout: 60_000 }, async () => {
  const { gzipSync } = await import('node:zlib');
  const member = gzipSync('x');
  const many = Buffer.concat(Array.from({ length: 2000 }, () => member));
  assert.equal((await gather(gunzip(piecesOf(many, 1024 * 1024)))).length, 2000);
});
