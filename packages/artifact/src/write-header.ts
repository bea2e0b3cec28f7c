import type { ArtifactDescription, PayloadDescription } from './artifact-description.ts';
import type { HeaderInfo } from './artifact.ts';
import { ArtifactError } from './errors.ts';
import { encodeHeaderInfo, faultsIn } from './header-info.ts';
import { assertDepth, encodeJson, isObject, sortKeys, type Json } from './json.ts';
import { limits } from './limits.ts';
import { isStateScriptName } from './state-script.ts';
import { endOfArchive } from './tar/header.ts';
import { tarEntry } from './tar/write-tar.ts';
import { encodeTypeInfo, type TypeInfo } from './type-info.ts';

/** A payload file as the manifest lists it. */
export interface FileSum {
  readonly name: string;
  readonly sha256: string;
}

const scriptMode = 0o755;
const fileMode = 0o600;

/** The uncompressed bytes of `header.tar` (format clause 5). */
export function encodeHeader(
  description: ArtifactDescription,
  payload: PayloadDescription,
  files: readonly FileSum[],
  modifiedAt: number,
): Uint8Array {
  const version = description.formatVersion ?? 3;
  const entry = (name: string, content: Uint8Array) => tarEntry(name, content, fileMode, modifiedAt);
  const scripts = [...(description.scripts ?? [])].toSorted((a, b) =>
    Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
  );
  const names = files.map(({ name }) => name);
  const metaData = metaDataOf(payload);
  return Buffer.concat([
    entry('header-info', encodeHeaderInfo(headerInfoOf(description, payload), version)),
    ...scripts.map(({ name, content }) => tarEntry(`scripts/${name}`, content, scriptMode, modifiedAt)),
    ...(version === 2 ? [entry('headers/0000/files', encodeJson({ files: names }))] : []),
    entry(
      'headers/0000/type-info',
      version === 2 ? encodeJson({ type: payload.type }) : encodeTypeInfo(typeInfoOf(payload, files)),
    ),
    ...(metaData === undefined ? [] : [entry('headers/0000/meta-data', metaData)]),
    endOfArchive,
  ]);
}

/** The uncompressed bytes of `header-augment.tar` (format clause 5.5). A root file system's provides cannot be augmented. */
export function encodeHeaderAugment(
  description: ArtifactDescription,
  augment: PayloadDescription,
  files: readonly FileSum[],
  modifiedAt: number,
): Uint8Array {
  const entry = (name: string, content: Uint8Array) => tarEntry(name, content, fileMode, modifiedAt);
  const isRootfs = augment.type === 'rootfs-image';
  const typeInfo = typeInfoOf(isRootfs ? { ...augment, provides: {} } : augment, isRootfs ? [] : files);
  const metaData = hasMetaData(augment) ? metaDataOf(augment) : undefined;
  return Buffer.concat([
    entry('header-info', encodeHeaderInfo(headerInfoOf(description, augment), 3)),
    entry('headers/0000/type-info', encodeTypeInfo(typeInfo)),
    ...(metaData === undefined ? [] : [entry('headers/0000/meta-data', metaData)]),
    endOfArchive,
  ]);
}

/** Throws `ArtifactError` (invalidDescription) naming all that is wrong with what is to be written. */
export function assertDescription(description: ArtifactDescription): void {
  const { payload, augment } = description;
  const version = description.formatVersion ?? 3;
  const faults = faultsIn(headerInfoOf(description, payload));
  const payloadNames = payload.packed?.files.map(({ name }) => name) ?? (payload.files ?? []).map(nameOf);
  const names = [...payloadNames, ...(augment?.files ?? []).map(nameOf)];
  const scripts = (description.scripts ?? []).map(({ name }) => name);
  for (const name of duplicatesIn(names)) faults.push(`two payload files are called ${name}`);
  for (const name of duplicatesIn(scripts)) faults.push(`two state scripts are called ${name}`);
  for (const name of scripts) {
    if (!isStateScriptName(name))
      faults.push(`${name} is no name of a state script, as ArtifactInstall_Enter_00 is`);
  }
  for (const { content, name } of description.scripts ?? []) {
    if (content.length > limits.script)
      faults.push(`the state script ${name} is over ${limits.script} bytes long`);
  }
  if (payload.type === 'rootfs-image' && payloadNames.length !== 1)
    faults.push('a root file system payload has one file');
  if (payload.type === null && (names.length > 0 || hasMetaData(payload) || augment !== undefined)) {
    faults.push('an empty payload has neither files nor meta-data nor augmentation');
  }
  if (payload.packed !== undefined && (payload.files !== undefined || augment !== undefined)) {
    faults.push('a payload that is packed already takes no more files');
  }
  if (version === 2 && (payload.type !== 'rootfs-image' || augment !== undefined)) {
    faults.push('version 2 artifacts can only hold a rootfs-image; use version 3');
  }
  if (faults.length > 0)
    throw new ArtifactError('invalidDescription', `cannot be written: ${faults.join('; ')}`);
  for (const part of [payload, augment]) {
    if (part !== undefined && hasMetaData(part))
      assertDepth(part.metaData as Json, limits.jsonDepth, 'meta-data');
  }
}

function headerInfoOf(description: ArtifactDescription, payload: PayloadDescription): HeaderInfo {
  const { artifactName, artifactGroup, depends } = description;
  return {
    artifactName,
    ...(artifactGroup === undefined || artifactGroup === '' ? {} : { artifactGroup }),
    payloadTypes: [payload.type],
    depends: {
      deviceTypes: depends.deviceTypes,
      ...nonEmpty('artifactNames', depends.artifactNames),
      ...nonEmpty('artifactGroups', depends.artifactGroups),
    },
  };
}

function typeInfoOf(payload: PayloadDescription, files: readonly FileSum[]): TypeInfo {
  const { type, provides, depends, clearsProvides, checksumProvide } = payload;
  const first = files[0];
  const checksum =
    checksumProvide === undefined || first === undefined ? {} : { [checksumProvide]: first.sha256 };
  const lists = Object.entries(depends ?? {}).map(([key, value]) => [
    key,
    typeof value === 'string' ? [value] : value,
  ]);
  return {
    type,
    provides: { ...checksum, ...provides },
    depends: Object.fromEntries(lists) as Record<string, readonly string[]>,
    ...(clearsProvides === undefined ? {} : { clearsProvides }),
  };
}

/** The reference writes an empty file for a root file system, and none for others that have no meta-data. */
function metaDataOf(payload: PayloadDescription): Uint8Array | undefined {
  if (hasMetaData(payload)) return encodeJson(sortKeys(payload.metaData as Json));
  return payload.type === 'rootfs-image' ? new Uint8Array(0) : undefined;
}

function hasMetaData(payload: PayloadDescription): boolean {
  return isObject(payload.metaData as Json | undefined) && Object.keys(payload.metaData ?? {}).length > 0;
}

function nonEmpty<K extends string>(
  key: K,
  list: readonly string[] | undefined,
): Partial<Record<K, readonly string[]>> {
  return list === undefined || list.length === 0 ? {} : ({ [key]: list } as Record<K, readonly string[]>);
}

function nameOf(source: NonNullable<PayloadDescription['files']>[number]): string {
  return source.name ?? ('path' in source ? source.path.replace(/^.*\//, '') : '');
}

function duplicatesIn(names: readonly string[]): readonly string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
