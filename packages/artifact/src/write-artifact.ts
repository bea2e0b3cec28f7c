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
import { copiesOf } from './file-content.ts';
import { pieceBytes } from './limits.ts';
import { encodeManifest } from './manifest.ts';
import { writeOutputFile } from './output-file.ts';
import { payloadFileToPack, type PayloadFileToPack } from './payload-source.ts';
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
  /** Told as the payload is packed: how many bytes of how many, before compression. Without compression a stream tells it twice. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Writes an artifact as a stream. Since a payload's size and checksum stand before it, it is first compressed into a temporary file; without
 * compression it is read twice instead. `writeArtifactFile` needs neither.
 *
 * Throws `ArtifactError` (invalidDescription, forbiddenName, unreadableInput) and the signal's reason.
 */
export async function* writeArtifact(
  description: ArtifactDescription,
  options: WriteOptions = {},
): AsyncIterable<Uint8Array> {
  const plan = await planArtifact(description, options);
  if (plan.dataBytes !== undefined) {
    if (plan.sums() === undefined) for await (const piece of plan.data()) void piece;
    yield await plan.head();
    yield* framed(plan, plan.dataBytes, copiesOf(plan.data()));
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
    yield await plan.head();
    const content = createReadStream(path, { highWaterMark: pieceBytes }) as AsyncIterable<Uint8Array>;
    yield* framed(plan, length, content);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Writes an artifact to a file, which appears under its name only when it is complete and on disk. After a fault nothing is left
 * behind, and what had the name before is unchanged. Each payload file is read once. Throws as `writeArtifact` does.
 */
export async function writeArtifactFile(
  description: ArtifactDescription,
  path: string,
  options: WriteOptions = {},
): Promise<{ readonly sizeBytes: number }> {
  const plan = await planArtifact(description, options);
  return writeOutputFile(path, async (file) => {
    // What stands before the payload can only be made after it; room is left that nearly always fits.
    const room = plan.sums() === undefined ? await plan.headRoom() : (await plan.head()).length;
    await file.write(new Uint8Array(room));
    let behind = await file.write(dataHeader(plan, plan.dataBytes ?? 0));
    let length = 0;
    for await (const piece of plan.data()) length += await file.write(piece);
    behind += length;
    behind += await file.write(new Uint8Array(paddingOf(length)));
    behind += await file.write(endOfArchive);
    if (plan.dataBytes === undefined) await file.write(dataHeader(plan, length), room);
    const head = await plan.head();
    if (head.length !== room) await file.move(room, behind, head.length);
    await file.write(head, 0);
    return { sizeBytes: head.length + behind };
  });
}

interface Plan {
  /** All before the payload's archive. Throws before the payload's checksums are known. */
  readonly head: () => Promise<Uint8Array>;
  /** About how long that will be. */
  readonly headRoom: () => Promise<number>;
  /** The payload's files; undefined before their checksums are known, from reading `data` to its end. */
  readonly sums: () => Sums | undefined;
  readonly dataName: string;
  /** Size of the payload's archive, where that is known beforehand. */
  readonly dataBytes: number | undefined;
  /** Size of the payload's archive before compression. */
  readonly tarBytes: number;
  readonly modifiedAt: number;
  /** A piece counts only until the next is asked for. */
  readonly data: () => AsyncIterable<Uint8Array>;
}

interface Sums {
  readonly payload: readonly FileSum[];
  readonly augment: readonly FileSum[];
}

async function planArtifact(description: ArtifactDescription, options: WriteOptions): Promise<Plan> {
  assertDescription(description);
  const { modifiedAt = 0, signal } = options;
  const { packed } = description.payload;
  const compression = packed?.compression ?? options.compression ?? 'zstd';
  const files = await filesToPack(description.payload.files, signal);
  const augmentFiles = await filesToPack(description.augment?.files, signal);
  const allFiles = [...files, ...augmentFiles];
  const tarBytes = packed?.sizeBytes ?? tarSize(allFiles);
  const compress = (content: AsyncIterable<Uint8Array>) => compressed(content, compression, options);

  const sums = (): Sums | undefined => {
    const payload = packed?.files ?? known(files);
    const augment = known(augmentFiles);
    return payload === undefined || augment === undefined ? undefined : { payload, augment };
  };
  const headWith = (all: Sums, signer: Signer | undefined) => {
    const whole = (tar: Uint8Array) => gathered(compress(oneChunk(tar)));
    return encodeHead(description, all, extensionOf[compression], whole, signer, modifiedAt);
  };
  return {
    sums,
    head: () => {
      const all = sums();
      if (all === undefined) throw new Error('the payload has not been read to its end');
      return headWith(all, options.signer);
    },
    headRoom: async () => {
      const sample = { payload: files.map(withSampleSum), augment: augmentFiles.map(withSampleSum) };
      return (await headWith(sample, options.signer === undefined ? undefined : sampleSigner)).length;
    },
    dataName: `data/0000.tar${extensionOf[compression]}`,
    dataBytes: packed?.sizeBytes ?? (compression === 'none' ? tarBytes : undefined),
    tarBytes,
    modifiedAt,
    data: () => {
      const content = packed === undefined ? writeTar(allFiles, modifiedAt) : packed.open();
      const counted = counting(content, tarBytes, options.onProgress);
      return packed === undefined ? compress(counted) : counted;
    },
  };
}

async function* counting(
  content: AsyncIterable<Uint8Array>,
  totalBytes: number,
  onProgress: WriteOptions['onProgress'],
): AsyncIterable<Uint8Array> {
  if (onProgress === undefined) return yield* content;
  let doneBytes = 0;
  for await (const piece of content) {
    doneBytes += piece.length;
    onProgress(doneBytes, totalBytes);
    yield piece;
  }
}

/** The members before the payload, in their order (format clause 1.1). */
async function encodeHead(
  description: ArtifactDescription,
  sums: Sums,
  extension: string,
  compress: (tar: Uint8Array) => Promise<Uint8Array>,
  signer: Signer | undefined,
  modifiedAt: number,
): Promise<Uint8Array> {
  const member = (name: string, content: Uint8Array) => tarEntry(name, content, 0o600, modifiedAt);
  const { payload, augment } = description;
  const version = encodeVersion(description.formatVersion ?? 3);
  const headerName = `header.tar${extension}`;
  const header = await compress(encodeHeader(description, payload, sums.payload, modifiedAt));
  const manifest = encodeManifest([
    ...lines(sums.payload),
    [headerName, sha256(header)],
    ['version', sha256(version)],
  ]);
  const head = [member('version', version), member('manifest', manifest)];
  if (signer !== undefined) head.push(member('manifest.sig', encodeSignature(await signer(manifest))));
  if (augment === undefined) return Buffer.concat([...head, member(headerName, header)]);
  const augmentName = `header-augment.tar${extension}`;
  const augmentHeader = await compress(encodeHeaderAugment(description, augment, sums.augment, modifiedAt));
  const augmentManifest = encodeManifest([...lines(sums.augment), [augmentName, sha256(augmentHeader)]]);
  return Buffer.concat([
    ...head,
    member('manifest-augment', augmentManifest),
    member(headerName, header),
    member(augmentName, augmentHeader),
  ]);
}

async function filesToPack(
  sources: readonly PayloadFileSource[] | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly PayloadFileToPack[]> {
  return Promise.all((sources ?? []).map((source) => payloadFileToPack(source, signal)));
}

function known(files: readonly PayloadFileToPack[]): readonly FileSum[] | undefined {
  const sums = files.flatMap(({ name, sha256: sum }) => {
    const found = sum();
    return found === undefined ? [] : [{ name, sha256: found }];
  });
  return sums.length === files.length ? sums : undefined;
}

/** As long, and as hard to compress, as the real one will be. */
function withSampleSum({ name }: PayloadFileToPack): FileSum {
  return { name, sha256: sha256(Buffer.from(name)) };
}

/** Its entry is as long as those of RSA up to 3072 bits and of ECDSA. */
const sampleSigner: Signer = () => Promise.resolve(new Uint8Array(256));

function compressed(
  content: AsyncIterable<Uint8Array>,
  compression: CompressionName,
  options: WriteOptions,
): AsyncIterable<Uint8Array> {
  if (compression === 'none') return content;
  const { level, signal, compressors = nodeCompressors } = options;
  const { parallel = defaultParallel(compression, level) } = options;
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
