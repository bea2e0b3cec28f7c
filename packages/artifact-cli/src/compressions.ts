import {
  nodeCompressors,
  blockingNodeDecompressors,
  type CompressionName,
  type Compressors,
  type Decompressors,
} from '@tandem/artifact';
import { xzCompressor, xzDecompressor } from '@tandem/artifact/xz';
import { CommandError } from './exit-status.ts';

/** What `--compression` takes: the reference's names, and plain `zstd`. Levels are chosen by measurement (bench/artifact-write.ts). */
const choices = {
  none: { compression: 'none' },
  gzip: { compression: 'gzip', level: 4 },
  lzma: { compression: 'lzma', level: 6 },
  // The default of tandem-artifact: smaller than the reference's gzip, in two fifths of its time.
  zstd: { compression: 'zstd', level: 2 },
  zstd_fastest: { compression: 'zstd', level: 1 },
  zstd_fast: { compression: 'zstd', level: 3 },
  // The last level that looks back no farther than a segment goes: independent segments cost it nothing.
  zstd_better: { compression: 'zstd', level: 8 },
  zstd_best: { compression: 'zstd', level: 19 },
} as const satisfies Record<string, { compression: CompressionName; level?: number }>;

export interface CompressionChoice {
  readonly compression: CompressionName;
  readonly level?: number;
}

/** Throws `CommandError` naming what there is. */
export function compressionChoice(name: string): CompressionChoice {
  if (Object.hasOwn(choices, name)) return choices[name as keyof typeof choices];
  throw new CommandError(
    'invalidParameters',
    `unknown compression "${name}"; one of ${Object.keys(choices).join(', ')}`,
  );
}

/** Known by the name of the program: scripts that call the reference get what the reference gives. */
export function defaultCompression(programName: string): keyof typeof choices {
  return programName === 'tandem-artifact' ? 'zstd' : 'gzip';
}

export const compressors: Compressors = { ...nodeCompressors, lzma: xzCompressor };
export const decompressors: Decompressors = { ...blockingNodeDecompressors, lzma: xzDecompressor };
