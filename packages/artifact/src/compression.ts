import * as zlib from 'node:zlib';
import type { ByteTransform, CompressionName, Decompressors } from './artifact.ts';
import { ArtifactError } from './errors.ts';
import { gunzip } from './gunzip.ts';
import { unzstd, unzstdOnThisThread } from './unzstd.ts';

/** What is appended to the name of a tar archive compressed so (format clause 6.1). `lzma` is the xz container. */
export const extensionOf = { none: '', gzip: '.gz', lzma: '.xz', zstd: '.zst' } as const satisfies Record<
  CompressionName,
  string
>;

/** The compression of `header.tar.gz`, `data/0000.tar` and the like; undefined when it is not a tar name we know. */
export function compressionOfName(name: string): CompressionName | undefined {
  const extension = /\.tar(\..+)?$/.exec(name)?.[1];
  if (extension === undefined) return name.endsWith('.tar') ? 'none' : undefined;
  return (['gzip', 'lzma', 'zstd'] as const).find((compression) => extensionOf[compression] === extension);
}

/**
 * What Node itself can decompress: gzip always; zstd where this Node has it (22.15 and later). xz: `@tandem/artifact/xz`, or
 * `programDecompressor`.
 */
export const nodeDecompressors: Decompressors = {
  gzip: gunzip,
  ...(typeof zlib.createZstdDecompress === 'function' ? { zstd: unzstd } : {}),
};

/**
 * The same with less CPU, for programs that read one artifact and do nothing else meanwhile: some calls take milliseconds. A piece of what
 * they give counts only until the next is asked for.
 */
export const blockingNodeDecompressors: Decompressors = {
  ...nodeDecompressors,
  ...(nodeDecompressors.zstd === undefined ? {} : { zstd: unzstdOnThisThread }),
};

/** Throws `ArtifactError` (noDecompressor) when this machine has no means. */
export function decompressorFor(
  compression: CompressionName,
  decompressors: Decompressors,
  member: string,
): ByteTransform {
  if (compression === 'none') return (source) => source;
  const decompressor = decompressors[compression];
  if (decompressor !== undefined) return decompressor;
  const program = compression === 'lzma' ? 'xz' : compression;
  throw new ArtifactError(
    'noDecompressor',
    `nothing here can decompress ${program}; install the program ${program}`,
    {
      member,
    },
  );
}
