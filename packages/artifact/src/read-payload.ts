import { createHash, type Hash } from 'node:crypto';
import type {
  ByteTransform,
  MemberBoundary,
  PayloadFile,
  PayloadHeader,
  RestartPoint,
  ResumeFrom,
} from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { assertChecksum } from './checksum.ts';
import { ArtifactError } from './errors.ts';
import { segmentBytes } from './limits.ts';
import { readTar, type TarEntry } from './tar/read-tar.ts';

export interface PayloadSource {
  readonly payloadIndex: number;
  readonly payload: PayloadHeader;
  /** The entry `data/NNNN.tar…` of the artifact. */
  readonly archive: TarEntry;
  /** Undefined when it is not compressed. */
  readonly decompress: ByteTransform | undefined;
  readonly onRestartPoint: ((point: RestartPoint) => void) | undefined;
  /** Where to go on; `archive` then begins at that point. */
  readonly resume: ResumeFrom | undefined;
}

/**
 * The files of one payload archive, in the order they stand (format clause 6). Running to the end proves that all files the manifest
 * lists were there, once each and unaltered, and nothing else. Throws `ArtifactError`.
 */
export async function* readPayload(from: PayloadSource): AsyncIterable<PayloadFile> {
  const member = from.archive.name;
  const expected = new Map(from.payload.files.map(({ name, sha256 }) => [name, sha256]));
  const reader = new ByteReader(withRestartPoints(from));
  try {
    let resume = resumable(from.resume, member);
    reader.offset = resume?.point.uncompressedOffset ?? 0;
    const tar = readTar(
      reader,
      member,
      resume === undefined ? undefined : { ...resume.file, readBytes: resume.readBytes },
    );
    for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
      const fileMember = `${member}: ${entry.name}`;
      const sha256 = expected.get(entry.name);
      if (entry.kind !== 'file')
        throw refused('unexpectedMember', 'only regular files are accepted', fileMember, entry);
      if (sha256 === undefined) {
        const isListed = from.payload.files.some(({ name }) => name === entry.name);
        const message = isListed ? 'this file is there twice' : 'this file is not listed in the manifest';
        throw refused('unlistedFile', message, fileMember, entry);
      }
      expected.delete(entry.name);
      const content = new CheckedContent(entry, sha256, fileMember, resume?.stored());
      const { name, sizeBytes, mode, modifiedAt, contentOffset } = entry;
      const { payloadIndex } = from;
      yield {
        payloadIndex,
        name,
        sizeBytes,
        mode,
        modifiedAt,
        sha256,
        contentOffset,
        ...(resume === undefined ? {} : { resumedAt: resume.readBytes }),
        content: content.pieces(),
      };
      resume = undefined;
      await content.readToEnd();
    }
    await tar.finish();
  } finally {
    await reader.close();
  }
  assertAllSeen(expected.keys(), member);
}

/** Throws `ArtifactError` (missingMember) when the manifest lists files that were not there. */
export function assertAllSeen(missing: Iterable<string>, member: string): void {
  const names = Array.from(missing);
  if (names.length === 0) return;
  throw new ArtifactError(
    'missingMember',
    `listed in the manifest but not in the artifact: ${names.join(', ')}`,
    { member },
  );
}

/** Throws `ArtifactError` (checksumMismatch) unless the point lies within the file it is said to lie in. */
function resumable(
  resume: ResumeFrom | undefined,
  member: string,
): (ResumeFrom & { readonly readBytes: number }) | undefined {
  if (resume === undefined) return undefined;
  const readBytes = resume.point.uncompressedOffset - resume.file.contentOffset;
  if (readBytes >= 0 && readBytes <= resume.file.sizeBytes) return { ...resume, readBytes };
  throw new ArtifactError('checksumMismatch', 'the place to go on from is not in this file; begin anew', {
    member: `${member}: ${resume.file.name}`,
  });
}

/** Content of one file, hashed on its way, whether its reader takes all of it or stops in between. */
class CheckedContent {
  readonly #entry: TarEntry;
  readonly #expected: string;
  readonly #member: string;
  readonly #hash: Hash = createHash('sha256');
  /** What stands before the entry's content, not yet hashed. */
  #before: AsyncIterable<Uint8Array> | undefined;
  #isChecked = false;

  constructor(
    entry: TarEntry,
    expected: string,
    member: string,
    before: AsyncIterable<Uint8Array> | undefined,
  ) {
    this.#before = before;
    this.#entry = entry;
    this.#expected = expected;
    this.#member = member;
  }

  async *pieces(): AsyncIterable<Uint8Array> {
    for (let piece = await this.#next(); piece !== undefined; piece = await this.#next()) yield piece;
  }

  async readToEnd(): Promise<void> {
    while ((await this.#next()) !== undefined);
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#isChecked) return undefined;
    if (this.#before !== undefined) {
      for await (const piece of this.#before) this.#hash.update(piece);
      this.#before = undefined;
    }
    const piece = await this.#entry.some();
    if (piece !== undefined) {
      this.#hash.update(piece);
      return piece;
    }
    this.#isChecked = true;
    assertChecksum(this.#hash.digest('hex'), this.#expected, this.#member);
    return undefined;
  }
}

/**
 * The payload's tar, decompressed. A boundary is told as a restart point only once its reader has come back for more: then
 * what stood before it has been dealt with.
 */
async function* withRestartPoints(from: PayloadSource): AsyncIterable<Uint8Array> {
  const { archive, payloadIndex, onRestartPoint, resume } = from;
  const begin = {
    compressed: resume?.point.compressedOffset ?? archive.contentOffset,
    content: resume?.point.uncompressedOffset ?? 0,
  };
  const endOfArchive = archive.contentOffset + archive.sizeBytes;
  const boundaries: MemberBoundary[] = [];
  let contentBytes = 0;
  const tell = () => {
    for (
      let next = boundaries[0];
      next !== undefined && next.contentBytes <= contentBytes;
      next = boundaries[0]
    ) {
      boundaries.shift();
      const compressedOffset = begin.compressed + next.compressedBytes;
      if (compressedOffset >= endOfArchive) continue;
      const uncompressedOffset = begin.content + next.contentBytes;
      onRestartPoint?.({ payloadIndex, compressedOffset, uncompressedOffset });
    }
  };
  const onBoundary =
    onRestartPoint === undefined ? undefined : (boundary: MemberBoundary) => void boundaries.push(boundary);
  const decompress = from.decompress ?? everyFewMegabytes;
  for await (const piece of located(decompress(contentOf(archive), onBoundary), archive.name)) {
    yield piece;
    contentBytes += piece.length;
    tell();
  }
  tell();
}

/** Without compression reading can go on anywhere; it is said as often as for the others. */
const everyFewMegabytes: ByteTransform = async function* (source, onBoundary) {
  let contentBytes = 0;
  let told = 0;
  for await (const piece of source) {
    contentBytes += piece.length;
    if (contentBytes - told >= segmentBytes) {
      told = contentBytes;
      onBoundary?.({ compressedBytes: contentBytes, contentBytes });
    }
    yield piece;
  }
};

async function* contentOf(entry: TarEntry): AsyncIterable<Uint8Array> {
  for (let piece = await entry.some(); piece !== undefined; piece = await entry.some()) yield piece;
}

/** Decompressors do not know what they decompress. */
async function* located(source: AsyncIterable<Uint8Array>, member: string): AsyncIterable<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    if (!(error instanceof ArtifactError) || error.member !== undefined) throw error;
    throw new ArtifactError(error.code, error.message.replace(/^artifact: /, ''), {
      member,
      cause: error.cause,
    });
  }
}

function refused(
  code: 'unexpectedMember' | 'unlistedFile',
  message: string,
  member: string,
  entry: TarEntry,
): ArtifactError {
  return new ArtifactError(code, message, { member, offset: entry.headerOffset });
}
