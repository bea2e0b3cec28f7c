import type { ByteReader } from '../byte-reader.ts';
import { ArtifactError } from '../errors.ts';
import { limits, pieceBytes } from '../limits.ts';
import { blockBytes, decodePaxRecords, decodeTarHeader, paddingOf, type TarHeader } from './header.ts';

/** A file or directory of a tar archive as it streams by; its content is gone once the next entry is asked for. */
export interface TarEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'other';
  readonly sizeBytes: number;
  readonly mode: number;
  readonly modifiedAt: number;
  /** Where its (first) header stands in the archive. */
  readonly headerOffset: number;
  readonly contentOffset: number;
  /** The next bytes of its content, which count only until more are asked for; undefined when it has been read to the end. */
  readonly some: (maxBytes?: number) => Promise<Uint8Array | undefined>;
  /** The source leaves out the next `bytes` of the content. Throws `ArtifactError` when the content has not as many. */
  readonly leaveOut: (bytes: number) => void;
}

/** An entry in whose content, behind `readBytes` of it, the reading of an archive begins. */
export interface BegunEntry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly modifiedAt: number;
  readonly readBytes: number;
}

export interface TarReader {
  /** The next entry, undefined at the end of the archive. What was left of the one before is skipped. */
  readonly next: () => Promise<TarEntry | undefined>;
  /** After the end: nothing but zeros may follow, up to the end of the source. */
  readonly finish: () => Promise<void>;
}

/**
 * Reads a tar archive: v7, ustar, GNU and pax headers, with or without the blocks of zeros at its end.
 * Bounded: no length is believed before it was compared with `limits`, contents are never gathered.
 * `member` is named in errors: the artifact's member that this archive is the content of, undefined for the artifact itself.
 * With `begun`, the source begins within that entry.
 */
export function readTar(source: ByteReader, member?: string, begun?: BegunEntry): TarReader {
  let first = begun;
  let leaveEntry = async (): Promise<void> => undefined;

  const readHeader = async (): Promise<TarHeader | 'end'> => {
    const offset = source.offset;
    const block = await source.upTo(blockBytes);
    if (block.length === 0) return 'end';
    if (block.length < blockBytes) throw truncated(member, source.offset);
    return located(member, offset, () => decodeTarHeader(block));
  };

  const readExtension = async (header: TarHeader): Promise<Uint8Array> => {
    if (header.sizeBytes > limits.extendedTarHeader) {
      throw new ArtifactError('tooLarge', `an extended tar header of ${header.sizeBytes} bytes is refused`, {
        member,
        offset: source.offset,
      });
    }
    const body = await source.upTo(header.sizeBytes + paddingOf(header.sizeBytes));
    if (body.length < header.sizeBytes) throw truncated(member, source.offset);
    return body.subarray(0, header.sizeBytes);
  };

  const next = async (): Promise<TarEntry | undefined> => {
    await leaveEntry();
    const headerOffset = source.offset;
    if (first !== undefined) {
      const { entry, leave } = openEntry(
        source,
        member,
        { ...first, kind: 'file' },
        headerOffset,
        first.readBytes,
      );
      first = undefined;
      leaveEntry = leave;
      return entry;
    }
    let name: string | undefined;
    let sizeBytes: number | undefined;
    for (let extensions = 0; ; extensions += 1) {
      const offset = source.offset;
      const header = await readHeader();
      if (header === 'end') {
        if (extensions > 0) throw truncated(member, source.offset);
        return undefined;
      }
      if (header.kind === 'file' || header.kind === 'directory' || header.kind === 'other') {
        const kind = header.kind;
        const entry = openEntry(
          source,
          member,
          { ...header, kind, ...definedOnly({ name, sizeBytes }) },
          headerOffset,
        );
        leaveEntry = entry.leave;
        return entry.entry;
      }
      if (extensions >= limits.extendedTarHeaderCount || header.kind === 'globalPax') {
        throw new ArtifactError('malformedTar', 'global or too many extended tar headers are refused', {
          member,
          offset,
        });
      }
      const body = await readExtension(header);
      if (header.kind === 'longName') name = cString(body);
      if (header.kind === 'pax') {
        const records = located(member, offset, () => decodePaxRecords(body));
        refuseSparse(records, member, offset);
        name = records.get('path') ?? name;
        sizeBytes = paxSize(records.get('size'), member, offset) ?? sizeBytes;
      }
    }
  };

  const finish = async (): Promise<void> => {
    await leaveEntry();
    let zeros = 0;
    for (;;) {
      const piece = await source.some(pieceBytes);
      if (piece === undefined) return;
      zeros += piece.length;
      if (zeros > limits.trailingZeros || !isZero(piece)) {
        throw new ArtifactError('unexpectedMember', 'there are bytes after the end of the archive; refused', {
          member,
          offset: source.offset - piece.length,
        });
      }
    }
  };

  return { next, finish };
}

function openEntry(
  source: ByteReader,
  member: string | undefined,
  header: Omit<TarHeader, 'kind'> & { readonly kind: TarEntry['kind'] },
  headerOffset: number,
  readBytes = 0,
): { entry: TarEntry; leave: () => Promise<void> } {
  let left = header.sizeBytes - readBytes;
  const some = async (maxBytes: number = pieceBytes): Promise<Uint8Array | undefined> => {
    if (left === 0) return undefined;
    const piece = await source.some(Math.min(maxBytes, left));
    if (piece === undefined) throw truncated(member ?? header.name, source.offset);
    left -= piece.length;
    return piece;
  };
  const leaveOut = (bytes: number): void => {
    if (bytes < 0 || bytes > left) throw truncated(member ?? header.name, source.offset);
    left -= bytes;
    source.offset += bytes;
  };
  const leave = async (): Promise<void> => {
    while ((await some()) !== undefined);
    const padding = paddingOf(header.sizeBytes);
    if ((await source.upTo(padding)).length < padding) throw truncated(member ?? header.name, source.offset);
  };
  const { name, kind, sizeBytes, mode, modifiedAt } = header;
  const contentOffset = source.offset - readBytes;
  return {
    entry: { name, kind, sizeBytes, mode, modifiedAt, headerOffset, contentOffset, some, leaveOut },
    leave,
  };
}

/** A copy of a small entry's content. Throws `ArtifactError` (tooLarge) before reading when it is larger than `maxBytes`. */
export async function readWhole(entry: TarEntry, maxBytes: number, member: string): Promise<Uint8Array> {
  if (entry.sizeBytes > maxBytes) {
    throw new ArtifactError('tooLarge', `${entry.sizeBytes} bytes; at most ${maxBytes} are accepted`, {
      member,
      offset: entry.headerOffset,
    });
  }
  const content = Buffer.alloc(entry.sizeBytes);
  let length = 0;
  for (let piece = await entry.some(); piece !== undefined; piece = await entry.some()) {
    content.set(piece, length);
    length += piece.length;
  }
  return content;
}

function truncated(member: string | undefined, offset: number): ArtifactError {
  return new ArtifactError('truncated', 'the data ends too early; fetch or build the artifact again', {
    member,
    offset,
  });
}

/** Gives a fault found by the pure decoder the place it was found at. */
function located<T>(member: string | undefined, offset: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    throw new ArtifactError(error.code, error.message.replace(/^artifact: /, ''), {
      member,
      offset,
      cause: error.cause,
    });
  }
}

function paxSize(value: string | undefined, member: string | undefined, offset: number): number | undefined {
  if (value === undefined) return undefined;
  const size = Number(value);
  if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(size)) return size;
  throw new ArtifactError('malformedTar', 'the size in a pax record is not a number that can be', {
    member,
    offset,
  });
}

function refuseSparse(
  records: ReadonlyMap<string, string>,
  member: string | undefined,
  offset: number,
): void {
  if (![...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) return;
  throw new ArtifactError('unexpectedMember', 'sparse tar members are refused; pack without --sparse', {
    member,
    offset,
  });
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function definedOnly(fields: { name: string | undefined; sizeBytes: number | undefined }): {
  name?: string;
  sizeBytes?: number;
} {
  return {
    ...(fields.name === undefined ? {} : { name: fields.name }),
    ...(fields.sizeBytes === undefined ? {} : { sizeBytes: fields.sizeBytes }),
  };
}
