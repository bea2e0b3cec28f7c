import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArtifactDescription, PayloadFileSource } from './artifact-description.ts';
import type { CompressionName } from './artifact.ts';
import { sha256 } from './checksum.ts';
import {
  compressorFor,
  compressSegments,
  defaultParallel,
  nodeCompressors,
  type Compressors,
} from './compress-segments.ts';
import { extensionOf } from './compression.ts';
import { pieceBytes } from './limits.ts';
import { encodeManifest } from './manifest.ts';
import { writeOutputFile } from './output-file.ts';
import { hashFile, type HashedFile } from './payload-source.ts';
import { encodeSignature, type Signer } from './signature.ts';
import { encodeTarHeader, endOfArchive, paddingOf } from './tar/header.ts';
import { tarEntry, tarSize, writeTar } from './tar/write-tar.ts';
import { encodeVersion } from './version.ts';
import { assertDescription, encodeHeader, encodeHeaderAugment, type FileSum } from './write-header.ts';

export interface WriteOptions {
  /** Default zstd; a payload packed already keeps its own. Devices before Mender 4 know gzip and lzma only. */
  readonly compression?: CompressionName;
  /** The codec's own level; default 6 for gzip and xz, 3 for zstd. */
  readonly level?: number;
  /** Default: what Node has (gzip, zstd). */
  readonly compressors?: Compressors;
  readonly signer?: Signer;
  /** Time of all files in the artifact, seconds since 1970. Default 0, so that equal inputs give equal bytes. */
  readonly modifiedAt?: number;
  /** Segments compressed at once; without influence on the bytes. */
  readonly parallel?: number;
  /** Where `writeArtifact` keeps the compressed payload until its size is known. Default: the system's. */
  readonly temporaryDirectory?: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes an artifact as a stream. Each payload file is read twice: for its checksum, which stands before it, and to be packed. The
 * compressed payload passes through a temporary file, since its size stands before it too; `writeArtifactFile` needs none.
 *
 * Throws `ArtifactError` (invalidDescription, forbiddenName, unreadableInput) and the signal's reason.
 */
export async function* writeArtifact(
  description: ArtifactDescription,
  options: WriteOptions = {},
): AsyncIterable<Uint8Array> {
  const plan = await planArtifact(description, options);
  yield plan.head;
  if (plan.dataBytes !== undefined) {
    yield* framed(plan, plan.dataBytes, plan.data());
    return;
  }
  const directory = await mkdtemp(join(options.temporaryDirectory ?? tmpdir(), 'artifact-'));
  try {
    const path = join(directory, 'data');
    const length = await writeOutputFile(path, async (file) => {
      let written = 0;
      for await (const piece of plan.data()) written += await file.write(piece);
      return written;
    });
    const content = createReadStream(path, { highWaterMark: pieceBytes }) as AsyncIterable<Uint8Array>;
    yield* framed(plan, length, content);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Writes an artifact to a file, which appears under its name only when it is complete and on disk. After a fault nothing is left
 * behind, and what had the name before is unchanged. Throws as `writeArtifact` does.
 */
export async function writeArtifactFile(
  description: ArtifactDescription,
  path: string,
  options: WriteOptions = {},
): Promise<{ readonly sizeBytes: number }> {
  const plan = await planArtifact(description, options);
  return writeOutputFile(path, async (file) => {
    let sizeBytes = await file.write(plan.head);
    const headerAt = sizeBytes;
    // Where the size is not known yet, the header is written again when it is, and is as long.
    sizeBytes += await file.write(dataHeader(plan, plan.dataBytes ?? 0));
    let length = 0;
    for await (const piece of plan.data()) length += await file.write(piece);
    sizeBytes += length;
    sizeBytes += await file.write(new Uint8Array(paddingOf(length)));
    sizeBytes += await file.write(endOfArchive);
    if (plan.dataBytes === undefined) await file.write(dataHeader(plan, length), headerAt);
    return { sizeBytes };
  });
}

interface Plan {
  /** All before the payload's archive. */
  readonly head: Uint8Array;
  readonly dataName: string;
  /** Size of the payload's archive, where that is known beforehand. */
  readonly dataBytes: number | undefined;
  /** Size of the payload's archive before compression. */
  readonly tarBytes: number;
  readonly modifiedAt: number;
  readonly data: () => AsyncIterable<Uint8Array>;
}

/** Reads the payload files for their checksums and makes everything that stands before them. */
async function planArtifact(description: ArtifactDescription, options: WriteOptions): Promise<Plan> {
  assertDescription(description);
  const { modifiedAt = 0 } = options;
  const { augment } = description;
  const { packed } = description.payload;
  const compression = packed?.compression ?? options.compression ?? 'zstd';
  const extension = extensionOf[compression];
  const compress = (content: AsyncIterable<Uint8Array>) => compressed(content, compression, options);
  const whole = (tar: Uint8Array) => gathered(compress(oneChunk(tar)));

  const files = await hashAll(description.payload.files, options.signal);
  const augmentFiles = await hashAll(augment?.files, options.signal);
  const payloadSums = packed?.files ?? files;
  const version = encodeVersion(description.formatVersion ?? 3);
  const header = await whole(encodeHeader(description, description.payload, payloadSums, modifiedAt));
  const manifest = encodeManifest([
    ...lines(payloadSums),
    [`header.tar${extension}`, sha256(header)],
    ['version', sha256(version)],
  ]);
  const member = (name: string, content: Uint8Array) => tarEntry(name, content, 0o600, modifiedAt);
  const head = [member('version', version), member('manifest', manifest)];
  if (options.signer !== undefined)
    head.push(member('manifest.sig', encodeSignature(await options.signer(manifest))));
  if (augment === undefined) {
    head.push(member(`header.tar${extension}`, header));
  } else {
    const augmentHeader = await whole(encodeHeaderAugment(description, augment, augmentFiles, modifiedAt));
    const augmentName = `header-augment.tar${extension}`;
    const augmentManifest = encodeManifest([...lines(augmentFiles), [augmentName, sha256(augmentHeader)]]);
    head.push(member('manifest-augment', augmentManifest));
    head.push(member(`header.tar${extension}`, header), member(augmentName, augmentHeader));
  }
  const allFiles = [...files, ...augmentFiles];
  const tarBytes = packed?.sizeBytes ?? tarSize(allFiles);
  return {
    head: Buffer.concat(head),
    dataName: `data/0000.tar${extension}`,
    dataBytes: packed?.sizeBytes ?? (compression === 'none' ? tarBytes : undefined),
    tarBytes,
    modifiedAt,
    data: packed?.open ?? (() => compress(writeTar(allFiles, modifiedAt))),
  };
}

async function hashAll(
  sources: readonly PayloadFileSource[] | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly HashedFile[]> {
  const hashed: HashedFile[] = [];
  for (const source of sources ?? []) hashed.push(await hashFile(source, signal));
  return hashed;
}

function compressed(
  content: AsyncIterable<Uint8Array>,
  compression: CompressionName,
  options: WriteOptions,
): AsyncIterable<Uint8Array> {
  if (compression === 'none') return content;
  const { level, parallel = defaultParallel(compression), signal, compressors = nodeCompressors } = options;
  return compressSegments(content, {
    compress: compressorFor(compression, compressors),
    level,
    parallel,
    signal,
  });
}

async function* framed(
  plan: Plan,
  sizeBytes: number,
  content: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  yield dataHeader(plan, sizeBytes);
  yield* content;
  yield new Uint8Array(paddingOf(sizeBytes));
  yield endOfArchive;
}

/** Sizes from which on the compressed archive might need more digits than a ustar header has; compression can make it longer. */
const reserveFromBytes = 0.99 * 8 * 1024 ** 3;

function dataHeader(plan: Plan, sizeBytes: number): Uint8Array {
  const { dataName: name, modifiedAt, tarBytes, dataBytes } = plan;
  const reserves = dataBytes === undefined && tarBytes >= reserveFromBytes;
  return encodeTarHeader({ name, sizeBytes, mode: 0o600, modifiedAt }, reserves);
}

function lines(files: readonly FileSum[]): (readonly [string, string])[] {
  return files.map(({ name, sha256: sum }) => [`data/0000/${name}`, sum] as const);
}

async function gathered(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
