import { blockingNodeDecompressors, programDecompressor, type Decompressors } from '@tandem/artifact';
import { findProgram } from '../system/find-program.ts';
import type { Files } from '../system/system.ts';

/** What this device can decompress: by Node itself where it can (gzip, and zstd since 22.15), else by the program, if it is installed. */
export async function availableDecompressors(
  files: Pick<Files, 'kind'>,
  searchPath: string,
): Promise<Decompressors> {
  const xz = await findProgram(files, 'xz', searchPath);
  const zstd = await findProgram(files, 'zstd', searchPath);
  return {
    ...(xz === undefined ? {} : { lzma: programDecompressor('xz', { path: xz }) }),
    ...(zstd === undefined ? {} : { zstd: programDecompressor('zstd', { path: zstd }) }),
    ...blockingNodeDecompressors,
  };
}

/** Inventory attribute `artifact_compressions`: which artifacts this device can read. */
export const compressionsOf = (decompressors: Decompressors): readonly string[] => [
  'none',
  ...Object.keys(decompressors).toSorted(),
];
