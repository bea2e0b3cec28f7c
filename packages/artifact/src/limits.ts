const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * Bounds of everything a reader holds in memory, in bytes unless the name says otherwise. The format has none, so these are
 * ours: an order of magnitude above what real artifacts need, and together small enough for a device with 64 MiB to spare.
 * Payload files have no bound; they are streamed.
 */
export const limits = {
  version: 4 * KiB,
  manifest: 1 * MiB,
  signature: 16 * KiB,
  /** A header archive as it stands, compressed. It is held so that its checksum is known before it is parsed. */
  compressedHeader: 16 * MiB,
  headerInfo: 1 * MiB,
  typeInfo: 1 * MiB,
  metaData: 1 * MiB,
  files: 1 * MiB,
  script: 8 * MiB,
  /** A header archive unpacked: all scripts and small files together. */
  header: 32 * MiB,
  headerEntries: 4096,
  /** Extended tar headers (pax, GNU long name) before one entry, each and their number. */
  extendedTarHeader: 64 * KiB,
  extendedTarHeaderCount: 4,
  /** Zero bytes after the end of a tar archive (GNU tar pads to 10 KiB, or to what -b says). */
  trailingZeros: 1 * MiB,
  gzipHeader: 64 * KiB,
  /** Memory a compressed stream may ask of its reader. */
  zstdWindow: 128 * MiB,
  xzDictionary: 64 * MiB,
  /** Length of a file or script name; what file systems take. */
  nameLength: 255,
  /** Artifact name, group and entries of depends (format clause 5.1). */
  headerString: 256,
  /** Nesting of meta-data. */
  jsonDepth: 64,
} as const;

/** Content of one independently compressed member, frame or block (restart points). */
export const segmentBytes = 4 * MiB;

/** Pieces in which files are read and decompressors fed; measured: with 1 MiB, which caches do not hold, validating costs a fifth more CPU. */
export const inputBytes = 256 * KiB;

/** Pieces that decompressors give; measured: zlib's default of 16 KiB costs 2.1 times the CPU. */
export const pieceBytes = 1 * MiB;
