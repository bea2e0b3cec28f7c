import { ArtifactError } from './errors.ts';
import {
  assertDepth,
  encodeJson,
  isObject,
  isStringList,
  parseJson,
  sortKeys,
  type Json,
  type JsonObject,
} from './json.ts';
import { limits } from './limits.ts';

/** Contents of a `type-info` (format clause 5.2). `depends` values are lists: any of them will do. */
export interface TypeInfo {
  readonly type: string | null;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, readonly string[]>>;
  readonly clearsProvides?: readonly string[];
}

/**
 * Throws `ArtifactError` (malformedHeader) naming all faults, also when its type is not the one `header-info` declared. Unknown fields are
 * passed over. mender-artifact before 4.3.1 wrote an empty type for rootfs-image: that is taken for what was meant.
 */
export function parseTypeInfo(bytes: Uint8Array, declaredType: string | null, member: string): TypeInfo {
  const value = parseJson(bytes, member, 'malformedHeader');
  if (!isObject(value)) throw malformed(['it must be a JSON object'], member);
  const faults: string[] = [];
  const type = value['type'] === undefined || value['type'] === '' ? undefined : value['type'];
  if (type !== declaredType && !(type === undefined && declaredType === 'rootfs-image')) {
    faults.push(
      `its type ${JSON.stringify(value['type'])} is not the type ${JSON.stringify(declaredType)} in header-info`,
    );
  }
  const provides = value['artifact_provides'] ?? undefined;
  const depends = value['artifact_depends'] ?? undefined;
  const clears = value['clears_artifact_provides'] ?? undefined;
  if (provides !== undefined && !isRecordOf(provides, (item) => typeof item === 'string')) {
    faults.push('artifact_provides must be an object of strings');
  }
  if (
    depends !== undefined &&
    !isRecordOf(depends, (item) => typeof item === 'string' || isStringList(item))
  ) {
    faults.push('artifact_depends must be an object of strings or lists of strings');
  }
  if (clears !== undefined && !isStringList(clears))
    faults.push('clears_artifact_provides must be a list of strings');
  if (faults.length > 0) throw malformed(faults, member);
  return {
    type: declaredType,
    ...(provides === undefined ? {} : { provides: provides as Record<string, string> }),
    ...(depends === undefined
      ? {}
      : { depends: asLists(depends as Record<string, string | readonly string[]>) }),
    ...(clears === undefined ? {} : { clearsProvides: clears as readonly string[] }),
  };
}

/** The member's bytes: fields in the order of the reference, keys sorted, a single dependency as a plain string. */
export function encodeTypeInfo(info: TypeInfo): Uint8Array {
  const { type, provides, depends, clearsProvides } = info;
  const plainDepends = Object.entries(depends ?? {}).map(([key, values]) => [
    key,
    values.length === 1 ? values[0] : values,
  ]);
  return encodeJson({
    type,
    ...(plainDepends.length === 0
      ? {}
      : { artifact_depends: sortKeys(Object.fromEntries(plainDepends) as Json) }),
    ...(Object.keys(provides ?? {}).length === 0 ? {} : { artifact_provides: sortKeys(provides as Json) }),
    ...(clearsProvides === undefined || clearsProvides.length === 0
      ? {}
      : { clears_artifact_provides: clearsProvides }),
  });
}

/** A `meta-data` (format clause 5.3): an object, or undefined for an empty file. Throws `ArtifactError` (malformedHeader). */
export function parseMetaData(bytes: Uint8Array, member: string): JsonObject | undefined {
  if (bytes.length === 0) return undefined;
  const value = parseJson(bytes, member, 'malformedHeader');
  if (!isObject(value)) throw malformed(['its top level must be a JSON object'], member);
  assertDepth(value, limits.jsonDepth, member);
  return value;
}

/** The `files` of a version 2 payload: its file names. Throws `ArtifactError` (malformedHeader). */
export function parseFiles(bytes: Uint8Array, member: string): readonly string[] {
  const value = parseJson(bytes, member, 'malformedHeader');
  const files = isObject(value) ? value['files'] : undefined;
  if (!isStringList(files)) throw malformed(['it must be an object with a list "files"'], member);
  return files;
}

function isRecordOf(value: Json, accept: (item: Json) => boolean): value is JsonObject {
  return isObject(value) && Object.values(value).every(accept);
}

function asLists(depends: Record<string, string | readonly string[]>): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(depends).map(([key, value]) => [key, typeof value === 'string' ? [value] : value]),
  );
}

function malformed(faults: readonly string[], member: string): ArtifactError {
  return new ArtifactError('malformedHeader', faults.join('; '), { member });
}
