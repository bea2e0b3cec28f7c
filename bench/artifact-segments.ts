import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as zlib from 'node:zlib';
import { createXz, check } from 'node-liblzma';
import { nodeCompressors, type SegmentCompressor } from '../packages/artifact/src/compress-segments.ts';
import { pieceBytes, segmentBytes } from '../packages/artifact/src/limits.ts';
import { xzCompressor } from '../packages/artifact/src/xz.ts';
import { benchOptions, runBench } from './artifact-measure.ts';

/**
 * What restart points cost in size: the image in independent segments, as artifacts are written, against one stream of the same codec and
 * level over all of it. Slow: the best of zstd takes minutes.
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
  { name: 'zstd',         level: 3,  segment: zstd,         stream: zstdStream(3) },
  { name: 'zstd_better',  level: 8,  segment: zstd,         stream: zstdStream(8) },
  { name: 'zstd_best',    level: 19, segment: zstd,         stream: zstdStream(19) },
  { name: 'lzma',         level: 6,  segment: xzCompressor, stream: () => createXz({ preset: 6, check: check.CRC64 }) },
  { name: 'lzma, 64 MiB dictionary', level: 6, segment: xzCompressor, stream: () => createXz({ preset: 9, check: check.CRC64 }) },
];

const MiB = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

await runBench({ name: 'artifact-segments', note: 'segments of 4 MiB.', values }, async (image) => {
  const rows: string[][] = [];
  for (const { name, level, segment, stream } of choices) {
    if (segment === undefined || values.only?.includes(name) === false) continue;
    const segments = await inSegments(image, segment, level);
    const whole = await inOne(image, stream());
    rows.push([name, MiB(segments), MiB(whole), ((segments / whole - 1) * 100).toFixed(1)]);
  }
  return [['', 'segments MiB', 'one stream MiB', 'cost %'], ...rows];
});

async function inSegments(path: string, compress: SegmentCompressor, level: number): Promise<number> {
  const buffer = Buffer.alloc(segmentBytes);
  const file = openSync(path, 'r');
  let total = 0;
  for (let left = statSync(path).size; left > 0;) {
    const length = readSync(file, buffer, 0, segmentBytes, null);
    total += (await compress(buffer.subarray(0, length), level)).length;
    left -= length;
  }
  closeSync(file);
  return total;
}

async function inOne(path: string, stream: NodeJS.ReadWriteStream): Promise<number> {
  createReadStream(path, { highWaterMark: pieceBytes }).pipe(stream);
  let total = 0;
  for await (const piece of stream) total += piece.length;
  return total;
}
