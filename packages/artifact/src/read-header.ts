import type { ByteTransform, HeaderInfo } from './artifact.ts';
import { ByteReader } from './byte-reader.ts';
import { ArtifactError } from './errors.ts';
import { parseHeaderInfo } from './header-info.ts';
import { limits } from './limits.ts';
import { assertStateScriptName } from './state-script.ts';
import { readTar, readWhole, type TarEntry, type TarReader } from './tar/read-tar.ts';
import { parseFiles, parseMetaData, parseTypeInfo, type TypeInfo } from './type-info.ts';
import type { JsonObject } from './json.ts';

/** What a `header.tar` or `header-augment.tar` holds (format clause 5). */
export interface Header {
  readonly headerInfo: HeaderInfo;
  readonly rawHeaderInfo: Uint8Array;
  readonly scripts: readonly { readonly name: string; readonly content: Uint8Array }[];
  readonly payload: HeaderOfPayload;
}

export interface HeaderOfPayload {
  readonly typeInfo: TypeInfo;
  readonly rawTypeInfo: Uint8Array;
  readonly metaData?: JsonObject;
  readonly rawMetaData?: Uint8Array;
  /** Version 2 only. */
  readonly files?: readonly string[];
}

export interface HeaderForm {
  readonly version: 2 | 3;
  /** Name of the archive, for errors. */
  readonly member: string;
  /** An augmented header has no scripts, and its type may be empty: then it changes nothing of the type. */
  readonly isAugment: boolean;
}

/** Parses a header archive whose checksum has been found right. Throws `ArtifactError`. */
export async function readHeader(
  compressed: Uint8Array,
  decompress: ByteTransform,
  form: HeaderForm,
): Promise<Header> {
  const source = new ByteReader(decompress(oneChunk(compressed)));
  try {
    const tar = bounded(readTar(source, form.member), form.member);
    const { headerInfo, rawHeaderInfo } = await readHeaderInfo(tar, form);
    const type = onlyPayloadType(headerInfo, form.member);
    const parts = await readParts(tar, form);
    await tar.finish();
    const payload =
      form.version === 3 ? payloadOf3(parts.ofPayload, type, form) : payloadOf2(parts.ofPayload, type, form);
    return { headerInfo, rawHeaderInfo, scripts: parts.scripts, payload };
  } finally {
    await source.close();
  }
}

/**
 * The one rule that an artifact has exactly one payload: every reader there is refuses or mishandles more, though the format could
 * list several.
 */
function onlyPayloadType(info: HeaderInfo, member: string): string | null {
  const [type, ...others] = info.payloadTypes;
  if (type !== undefined && others.length === 0) return type;
  throw new ArtifactError(
    'malformedHeader',
    `${info.payloadTypes.length} payloads are declared; exactly one is supported`,
    {
      member,
    },
  );
}

async function readHeaderInfo(
  tar: TarReader,
  form: HeaderForm,
): Promise<{ headerInfo: HeaderInfo; rawHeaderInfo: Uint8Array }> {
  const entry = await tar.next();
  if (entry?.name !== 'header-info' || entry.kind !== 'file') {
    throw new ArtifactError('missingMember', 'header-info must be the first file in it', {
      member: form.member,
    });
  }
  const member = `${form.member}: header-info`;
  const rawHeaderInfo = await readWhole(entry, limits.headerInfo, member);
  return { headerInfo: parseHeaderInfo(rawHeaderInfo, form.version, member, form.isAugment), rawHeaderInfo };
}

type PartName = 'type-info' | 'meta-data' | 'files';
const partLimits = {
  'type-info': limits.typeInfo,
  'meta-data': limits.metaData,
  files: limits.files,
} as const;
type Parts = ReadonlyMap<PartName, Uint8Array>;

async function readParts(
  tar: TarReader,
  form: HeaderForm,
): Promise<{ scripts: { name: string; content: Uint8Array }[]; ofPayload: Parts }> {
  const scripts: { name: string; content: Uint8Array }[] = [];
  const ofPayload = new Map<PartName, Uint8Array>();
  for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
    const member = `${form.member}: ${entry.name}`;
    if (entry.kind === 'directory' && /^(scripts|headers(\/0000)?)\/?$/.test(entry.name)) continue;
    const [, script] = /^scripts\/(.*)$/.exec(entry.name) ?? [];
    const [, part] = /^headers\/0000\/(type-info|meta-data|files)$/.exec(entry.name) ?? [];
    if (entry.kind === 'file' && script !== undefined && !form.isAugment) {
      assertStateScriptName(script, member);
      if (ofPayload.size > 0) throw unexpected('a state script must stand before the headers', entry, member);
      if (scripts.some(({ name }) => name === script))
        throw unexpected('this state script is there twice', entry, member);
      scripts.push({ name: script, content: await readWhole(entry, limits.script, member) });
    } else if (entry.kind === 'file' && part !== undefined && !(part === 'files' && form.version === 3)) {
      const name = part as PartName;
      if (ofPayload.has(name)) throw unexpected('this file is there twice', entry, member);
      ofPayload.set(name, await readWhole(entry, partLimits[name], member));
    } else {
      throw unexpected('a header archive has no such file', entry, member);
    }
  }
  return { scripts, ofPayload };
}

function payloadOf3(parts: Parts, type: string | null, form: HeaderForm): HeaderOfPayload {
  const rawTypeInfo = parts.get('type-info');
  const typeMember = `${form.member}: headers/0000/type-info`;
  if (rawTypeInfo === undefined)
    throw new ArtifactError('missingMember', 'it is missing', { member: typeMember });
  const typeInfo = parseTypeInfo(rawTypeInfo, type, typeMember);
  return { typeInfo, rawTypeInfo, ...metaDataOf(parts, type, form) };
}

function payloadOf2(parts: Parts, type: string | null, form: HeaderForm): HeaderOfPayload {
  const rawFiles = parts.get('files');
  const member = `${form.member}: headers/0000/files`;
  if (rawFiles === undefined) throw new ArtifactError('missingMember', 'it is missing', { member });
  const rawTypeInfo = parts.get('type-info') ?? new Uint8Array(0);
  // Version 2 has neither provides nor depends; its type-info only repeats the type and no reader looks at it.
  return {
    typeInfo: { type },
    rawTypeInfo,
    files: parseFiles(rawFiles, member),
    ...metaDataOf(parts, type, form),
  };
}

function metaDataOf(
  parts: Parts,
  type: string | null,
  form: HeaderForm,
): { metaData?: JsonObject; rawMetaData?: Uint8Array } {
  const raw = parts.get('meta-data');
  if (raw === undefined) return {};
  const member = `${form.member}: headers/0000/meta-data`;
  if (type === null && raw.length > 0) {
    throw new ArtifactError('malformedHeader', 'an empty payload cannot have meta-data', { member });
  }
  const metaData = parseMetaData(raw, member);
  return { rawMetaData: raw, ...(metaData === undefined ? {} : { metaData }) };
}

/** Counts entries, and the sizes they claim before their contents are read. */
function bounded(tar: TarReader, member: string): TarReader {
  let entries = 0;
  let bytes = 0;
  const next = async (): Promise<TarEntry | undefined> => {
    const entry = await tar.next();
    entries += 1;
    bytes += entry?.sizeBytes ?? 0;
    if (entries > limits.headerEntries || bytes > limits.header) {
      throw new ArtifactError(
        'tooLarge',
        `its contents pass ${limits.headerEntries} files or ${limits.header} bytes`,
        {
          member,
        },
      );
    }
    return entry;
  };
  return { next, finish: tar.finish };
}

function unexpected(message: string, entry: TarEntry, member: string): ArtifactError {
  return new ArtifactError('unexpectedMember', message, { member, offset: entry.headerOffset });
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
