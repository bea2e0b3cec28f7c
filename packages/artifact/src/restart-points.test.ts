import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteTransform, PayloadFile, RestartPoint } from './artifact.ts';
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

/** What a download gives that goes on at a point: the artifact up to its payload's archive, then from the point on. */
async function* resumedAt(bytes: Uint8Array, archiveOffset: number, point: RestartPoint) {
  yield* piecesOf(bytes.subarray(0, archiveOffset), 4000);
  yield* piecesOf(bytes.subarray(point.compressedOffset), 50_000);
}

async function resume(bytes: Uint8Array, point: RestartPoint, stored: Uint8Array) {
  let archiveOffset = 0;
  let file: PayloadFile | undefined;
  const onPayloadArchive = ({ offset }: { readonly offset: number }) => (archiveOffset = offset);
  const whole = await readArtifact(piecesOf(bytes), { decompressors, onPayloadArchive });
  for await (const found of whole.files()) {
    file = found;
    break;
  }
  assert.ok(file !== undefined);
  const points: RestartPoint[] = [];
  const artifact = await readArtifact(resumedAt(bytes, archiveOffset, point), {
    decompressors,
    onRestartPoint: (told) => void points.push(told),
    resume: {
      point,
      file,
      stored: () =>
        piecesOf(stored.subarray(0, point.uncompressedOffset - (file?.contentOffset ?? 0)), 70_000),
    },
  });
  const rest: Uint8Array[] = [];
  let from = -1;
  for await (const resumed of artifact.files()) {
    from = resumed.resumedAt ?? 0;
    rest.push(await gather(resumed.content));
  }
  return { from, rest: Buffer.concat(rest), points };
}

for (const compression of ['none', 'gzip', 'lzma', 'zstd'] as const) {
  test(`an artifact is read on from each restart point and proven whole (${compression})`, async () => {
    const bytes = await artifactBytes(rootfsArtifact(image), { compression });
    const { points, contentOffset } = await pointsOf(bytes);
    for (const [index, point] of points.entries()) {
      const resumed = await resume(bytes, point, image);
      assert.equal(resumed.from, point.uncompressedOffset - contentOffset);
      assert.ok(resumed.rest.equals(image.subarray(resumed.from)));
      // Uncompressed, points are told at the pieces' own boundaries.
      const compressed = points.slice(index + 1).map(({ compressedOffset }) => compressedOffset);
      if (compression !== 'none') {
        assert.deepEqual(
          resumed.points.map(({ compressedOffset }) => compressedOffset),
          compressed,
        );
      }
    }
    const altered = Buffer.from(image);
    altered.writeUInt8(altered.readUInt8(5) ^ 1, 5);
    const [point] = points;
    assert.ok(point !== undefined);
    await assert.rejects(resume(bytes, point, altered), { code: 'checksumMismatch' });
  });
}

test('a place to go on from that is not in the file is refused', async () => {
  const bytes = await artifactBytes(rootfsArtifact(image), { compression: 'gzip' });
  const [point] = (await pointsOf(bytes)).points;
  assert.ok(point !== undefined);
  await assert.rejects(resume(bytes, { ...point, uncompressedOffset: 3 }, image), {
    code: 'checksumMismatch',
  });
  await assert.rejects(resume(bytes, { ...point, uncompressedOffset: 2 ** 40 }, image), {
    code: 'checksumMismatch',
  });
  await assert.rejects(resume(bytes, { ...point, compressedOffset: 2 ** 40 }, image), { code: 'truncated' });
  await assert.rejects(resume(bytes, { ...point, compressedOffset: 0 }, image), { code: 'truncated' });
});

test('an artifact of the reference, one member in all, has no points', async () => {
  assert.deepEqual((await pointsOf(goodBytes('01-v3-rootfs-gzip.mender'))).points, []);
});

test('gzip members of any size and number are followed', async () => {
  const { gzipSync } = await import('node:zlib');
  const parts = [0, 1, 5, 30_000, 0, 2].map((size, index) => noise(size, index));
  const boundaries: number[] = [];
  const members = parts.map((part) => gzipSync(part));
  const content = await gather(
    gunzip(piecesOf(Buffer.concat(members), 7), ({ contentBytes }) => boundaries.push(contentBytes)),
  );
  assert.ok(content.equals(Buffer.concat(parts)));
  assert.deepEqual(boundaries, [0, 1, 6, 30_006, 30_006, 30_008]);
});

test('thousands of tiny gzip members are read in a moment', { timeout: 60_000 }, async () => {
  const { gzipSync } = await import('node:zlib');
  const member = gzipSync('x');
  const many = Buffer.concat(Array.from({ length: 2000 }, () => member));
  assert.equal((await gather(gunzip(piecesOf(many, 1024 * 1024)))).length, 2000);
});
