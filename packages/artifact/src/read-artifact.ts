import type {
  Artifact,
  CompressionName,
  PayloadFile,
  PayloadHeader,
  ReadOptions,
  SignatureState,
} from './artifact.ts';
import { mergeAugment } from './augment.ts';
import { ByteReader } from './byte-reader.ts';
import { assertChecksum, sha256 } from './checksum.ts';
import { compressionOfName, decompressorFor, extensionOf, nodeDecompressors } from './compression.ts';
import { ArtifactError } from './errors.ts';
import { limits } from './limits.ts';
import { assertNothingElseListed, parseManifest, payloadFilesIn, type Manifest } from './manifest.ts';
import { readHeader, type Header } from './read-header.ts';
import { assertAllSeen, readPayload } from './read-payload.ts';
import { decodeSignature, isSignedByAny } from './signature.ts';
import { readTar, readWhole, type TarEntry, type TarReader } from './tar/read-tar.ts';
import { parseVersion } from './version.ts';

/**
 * Reads an artifact up to its payload: version, manifest, signature, header, in the order in which each vouches for the next. With keys
 * given nothing behind the manifest is parsed before its signature holds. The payload then streams by through `files()`.
 * No piece of the source is looked at once the next was asked for, so the source may use its buffer again.
 *
 * Throws `ArtifactError` for anything format clause 7 forbids, and the signal's reason; then the source is closed.
 *
 * @example
 * const artifact = await readArtifact(createReadStream('release-1.mender'), { verificationKeys: [key] });
 * for await (const file of artifact.files()) await pipeline(file.content, createWriteStream(file.name));
 */
export async function readArtifact(
  source: AsyncIterable<Uint8Array>,
  options: ReadOptions = {},
): Promise<Artifact> {
  const bytes = new ByteReader(source, options.signal);
  try {
    return await readHead(bytes, options);
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

async function readHead(bytes: ByteReader, options: ReadOptions): Promise<Artifact> {
  const tar = readTar(bytes);
  const decompressors = options.decompressors ?? nodeDecompressors;

  const rawVersion = await readNamed(await tar.next(), 'version', limits.version);
  const version = parseVersion(rawVersion);
  const rawManifest = await readNamed(await tar.next(), 'manifest', limits.manifest);
  let entry = await tar.next();
  const rawSignature =
    entry?.name === 'manifest.sig' ? await readNamed(entry, 'manifest.sig', limits.signature) : undefined;
  const signature = checkSignature(rawManifest, rawSignature, options);
  options.onManifest?.(rawManifest, rawSignature);
  if (rawSignature !== undefined) entry = await tar.next();

  const manifest = parseManifest(rawManifest, 'manifest');
  assertChecksum(sha256(rawVersion), listed(manifest, 'version', 'manifest'), 'version');

  let augmentManifest: Manifest | undefined;
  if (version === 3 && entry?.name === 'manifest-augment') {
    refuseUnsignedParts(options);
    augmentManifest = parseManifest(
      await readNamed(entry, 'manifest-augment', limits.manifest),
      'manifest-augment',
    );
    assertAddsOnly(augmentManifest, manifest);
    entry = await tar.next();
  }

  const readArchive = async (archive: TarEntry, sums: Manifest, isAugment: boolean): Promise<Header> => {
    const member = archive.name;
    const expected = listed(sums, member, isAugment ? 'manifest-augment' : 'manifest');
    const compressed = await readWhole(archive, limits.compressedHeader, member);
    assertChecksum(sha256(compressed), expected, member);
    const decompress = decompressorFor(compressionOfName(member) ?? 'none', decompressors, member);
    return readHeader(compressed, decompress, { version, member, isAugment });
  };

  const headerEntry = assertHeaderEntry(entry, 'header.tar');
  const compression = compressionOfName(headerEntry.name) ?? 'none';
  const header = await readArchive(headerEntry, manifest, false);
  let payloadHeader = header.payload;
  const augmentName = `header-augment.tar${extensionOf[compression]}`;
  if (augmentManifest !== undefined) {
    const augmentEntry = assertHeaderEntry(await tar.next(), 'header-augment.tar');
    if (augmentEntry.name !== augmentName) throw unexpected(augmentEntry, augmentName);
    const augment = await readArchive(augmentEntry, augmentManifest, true);
    payloadHeader = mergeAugment(payloadHeader, augment.payload, augmentName);
  }

  assertNothingElseListed(manifest, ['version', headerEntry.name], 1, 'manifest');
  if (augmentManifest !== undefined)
    assertNothingElseListed(augmentManifest, [augmentName], 1, 'manifest-augment');
  const files = [
    ...payloadFilesIn(manifest, 0, 'manifest'),
    ...(augmentManifest === undefined ? [] : payloadFilesIn(augmentManifest, 0, 'manifest-augment')),
  ];
  assertFileCount(payloadHeader.typeInfo.type, files, version, payloadHeader.files);

  const { typeInfo, rawTypeInfo, metaData, rawMetaData } = payloadHeader;
  const payload: PayloadHeader = {
    ...typeInfo,
    ...(metaData === undefined ? {} : { metaData }),
    raw: { typeInfo: rawTypeInfo, ...(rawMetaData === undefined ? {} : { metaData: rawMetaData }) },
    files,
  };
  return {
    version,
    signature,
    headerInfo: header.headerInfo,
    rawHeaderInfo: header.rawHeaderInfo,
    scripts: header.scripts,
    payloads: [payload],
    compression,
    ...(augmentManifest === undefined ? {} : { augmented: true }),
    files: () => readFiles(bytes, tar, payload, options),
    close: () => bytes.close(),
  };
}

async function* readFiles(
  bytes: ByteReader,
  tar: TarReader,
  payload: PayloadHeader,
  options: ReadOptions,
): AsyncIterable<PayloadFile> {
  try {
    const archive = await tar.next();
    if (archive === undefined) {
      // A payload without files need not have an archive.
      const missing = payload.files.map(({ name }) => name);
      return assertAllSeen(missing, 'data/0000.tar');
    }
    const compression = dataCompression(archive);
    const { contentOffset: offset, sizeBytes } = archive;
    options.onPayloadArchive?.({ payloadIndex: 0, compression, offset, sizeBytes });
    const decompress =
      compression === 'none'
        ? undefined
        : decompressorFor(compression, options.decompressors ?? nodeDecompressors, archive.name);
    if (options.resume !== undefined) archive.leaveOut(options.resume.point.compressedOffset - offset);
    yield* readPayload({
      payloadIndex: 0,
      payload,
      archive,
      decompress,
      onRestartPoint: options.onRestartPoint,
      resume: options.resume,
    });
    const more = await tar.next();
    if (more !== undefined) throw unexpected(more, 'the end of the artifact');
    await tar.finish();
  } finally {
    await bytes.close();
  }
}

/** Only `data/0000.tar`, with an extension we know: one payload, one archive. */
function dataCompression(archive: TarEntry): CompressionName {
  const compression = compressionOfName(archive.name);
  if (
    archive.kind === 'file' &&
    compression !== undefined &&
    /^data\/0000\.tar(\.(gz|xz|zst))?$/.test(archive.name)
  ) {
    return compression;
  }
  throw unexpected(archive, 'data/0000.tar, with .gz, .xz, .zst or nothing more');
}

function checkSignature(
  manifest: Uint8Array,
  rawSignature: Uint8Array | undefined,
  options: ReadOptions,
): SignatureState {
  const keys = options.verificationKeys ?? [];
  if (keys.length === 0) return rawSignature === undefined ? 'unsigned' : 'notVerified';
  if (rawSignature === undefined) {
    throw new ArtifactError(
      'signatureMissing',
      'a verification key is given, but the artifact is not signed; sign it',
      {
        member: 'manifest.sig',
      },
    );
  }
  if (isSignedByAny(manifest, decodeSignature(rawSignature), keys)) return 'verified';
  throw new ArtifactError(
    'signatureInvalid',
    'no given key made this signature of this manifest; the artifact was altered, or signed with another key',
    { member: 'manifest.sig' },
  );
}

function refuseUnsignedParts(options: ReadOptions): void {
  const accepts = options.acceptAugmented ?? (options.verificationKeys ?? []).length === 0;
  if (accepts) return;
  throw new ArtifactError(
    'signatureMissing',
    'no signature covers the augmented parts of an artifact; refused with a key given',
    {
      member: 'manifest-augment',
    },
  );
}

function assertAddsOnly(augment: Manifest, manifest: Manifest): void {
  const redefined = [...augment.keys()].filter((name) => manifest.has(name) || name === 'version');
  if (redefined.length === 0) return;
  throw new ArtifactError(
    'malformedManifest',
    `it lists again what manifest lists: ${redefined.join(', ')}`,
    {
      member: 'manifest-augment',
    },
  );
}

function assertFileCount(
  type: string | null,
  files: PayloadHeader['files'],
  version: 2 | 3,
  declared: readonly string[] | undefined,
): void {
  const names = files.map(({ name }) => name);
  const fault = (message: string) => new ArtifactError('malformedHeader', message, { member: 'manifest' });
  if (type === null && names.length > 0)
    throw fault(`an empty payload cannot have files: ${names.join(', ')}`);
  if (type === 'rootfs-image' && names.length > 1)
    throw fault(`a root file system payload has one file, not ${names.length}`);
  if (version === 3) return;
  if (names.length !== 1) throw fault(`a version 2 payload has one file, not ${names.length}`);
  if (declared?.length !== 1 || declared[0] !== names[0]) {
    throw fault(`headers/0000/files does not list what the manifest lists: ${names.join(', ')}`);
  }
}

async function readNamed(entry: TarEntry | undefined, name: string, maxBytes: number): Promise<Uint8Array> {
  if (entry === undefined) throw missing(name);
  if (entry.name !== name || entry.kind !== 'file') throw unexpected(entry, name);
  return readWhole(entry, maxBytes, name);
}

function assertHeaderEntry(entry: TarEntry | undefined, base: 'header.tar' | 'header-augment.tar'): TarEntry {
  if (entry === undefined) throw missing(base);
  const hasOurBase = entry.name === base || entry.name.startsWith(`${base}.`);
  if (entry.kind === 'file' && hasOurBase && compressionOfName(entry.name) !== undefined) return entry;
  throw unexpected(entry, `${base}, with .gz, .xz, .zst or nothing more`);
}

function listed(manifest: Manifest, name: string, member: string): string {
  const checksum = manifest.get(name);
  if (checksum !== undefined) return checksum;
  throw new ArtifactError('malformedManifest', `it does not list "${name}"`, { member });
}

function missing(name: string): ArtifactError {
  return new ArtifactError(
    'missingMember',
    'the artifact ends before it; fetch or build the artifact again',
    { member: name },
  );
}

function unexpected(entry: TarEntry, expected: string): ArtifactError {
  return new ArtifactError('unexpectedMember', `here should be ${expected}`, {
    member: entry.name,
    offset: entry.headerOffset,
  });
}
