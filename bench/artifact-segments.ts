import { closeSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import * as zlib from 'node:zlib';
import { createXz, check } from 'node-liblzma';
import { nodeCompressors, type SegmentCompressor } from '../packages/artifact/src/compress-segments.ts';
import { segmentBytes } from '../packages/artifact/src/limits.ts';
import { xzCompressor } from '../packages/artifact/src/xz.ts';
import { benchOptions, runBench } from './artifact-measure.ts';

/**
 * What restart points cost in size: the beginning of the image in independent segments, as artifacts are written, against one stream of the same
 * codec and level over all of it. Takes two minutes of both processors, most of them for the best of zstd and lzma.
 *
 *     node bench/artifact-segments.ts [--image FILE] [--only NAME]… [--write]
 */

const { values } = parseArgs({ options: { ...benchOptions, only: { type: 'string', multiple: true } } });

const { constants } = zlib;
const { gzip, zstd } = nodeCompressors;
const zstdStream = (level: number) => () =>
  zlib.createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
  });

// prettier-ignore
const choices: readonly { readonly name: string; readonly level: number; readonly segment: SegmentCompressor | undefined; readonly stream: () => NodeJS.ReadWriteStream }[] = [
  { name: 'gzip',         level: 4,  segment: gzip,         stream: () => zlib.createGzip({ level: 4, memLevel: 9 }) },
  { name: 'zstd_fastest', level: 1,  segment: zstd,         stream: zstdStream(1) },
  { name: 'zstd',         level: 2,  segment: zstd,         stream: zstdStream(2) },
  { name: 'zstd_fast',    level: 3,  segment: zstd,         stream: zstdStream(3) },
  { name: 'zstd_better',  level: 8,  segment: zstd,         stream: zstdStream(8) },
  { name: 'zstd_best',    level: 19, segment: zstd,         stream: zstdStream(19) },
  { name: 'lzma',         level: 6,  segment: xzCompressor, stream: () => createXz({ preset: 6, check: check.CRC64 }) },
  { name: 'lzma, 64 MiB dictionary', level: 6, segment: xzCompressor, stream: () => createXz({ preset: 9, check: check.CRC64 }) },
];

/** As much of the image as one stream of the slowest gets through in a minute. */
const sampleBytes = 128 * 2 ** 20;

const MiB = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

const note = `its first ${sampleBytes / 2 ** 20} MiB, in segments of ${segmentBytes / 2 ** 20} MiB.`;

await runBench({ name: 'artifact-segments', note, values }, async (image) => {
  const segments = segmentsOf(image);
  const rows: string[][] = [];
  for (const { name, level, segment, stream } of choices) {
    if (segment === undefined || values.only?.includes(name) === false) continue;
    // Side by side: the one stream keeps one processor busy, the segments the other.
    const [cut, whole] = await Promise.all([inSegments(segments, segment, level), inOne(segments, stream())]);
    rows.push([name, MiB(cut), MiB(whole), ((cut / whole - 1) * 100).toFixed(1)]);
  }
  return [['', 'segments MiB', 'one stream MiB', 'cost %'], ...rows];
});

function segmentsOf(path: string): readonly Buffer[] {
  const file = openSync(path, 'r');
  const sample = Buffer.alloc(sampleBytes);
  const length = readSync(file, sample);
  closeSync(file);
  return Array.from({ length: Math.ceil(length / segmentBytes) }, (_, index) =>
    sample.subarray(index * segmentBytes, Math.min((index + 1) * segmentBytes, length)),
  );
}

async function inSegments(
  segments: readonly Buffer[],
  compress: SegmentCompressor,
  level: number,
): Promise<number> {
  let total = 0;
  for (const segment of segments) total += (await compress(segment, level)).length;
  return total;
}

async function inOne(segments: readonly Buffer[], stream: NodeJS.ReadWriteStream): Promise<number> {
  Readable.from(segments).pipe(stream);
  let total = 0;
  for await (const piece of stream) total += piece.length;
  return total;
}
