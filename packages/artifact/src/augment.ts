import { ArtifactError } from './errors.ts';
import { encodeJson, isObject, sortKeys, type Json, type JsonObject } from './json.ts';
import type { HeaderOfPayload } from './read-header.ts';
import { encodeTypeInfo, type TypeInfo } from './type-info.ts';

/**
 * A payload's header with what `header-augment` says laid over it (format clause 5.5): objects are merged, lists and single values
 * replaced. Throws `ArtifactError` (malformedHeader) where one kind would replace the other.
 */
export function mergeAugment(
  original: HeaderOfPayload,
  augment: HeaderOfPayload,
  member: string,
): HeaderOfPayload {
  const over = augment.typeInfo;
  const provides = { ...original.typeInfo.provides, ...over.provides };
  const depends = { ...original.typeInfo.depends, ...over.depends };
  const clearsProvides = over.clearsProvides ?? original.typeInfo.clearsProvides;
  const typeInfo: TypeInfo = {
    type: original.typeInfo.type,
    ...(Object.keys(provides).length === 0 ? {} : { provides }),
    ...(Object.keys(depends).length === 0 ? {} : { depends }),
    ...(clearsProvides === undefined ? {} : { clearsProvides }),
  };
  const metaData = mergeObjects(original.metaData, augment.metaData, `${member}: headers/0000/meta-data`);
  return {
    typeInfo,
    rawTypeInfo: encodeTypeInfo(typeInfo),
    ...(metaData === undefined ? {} : { metaData, rawMetaData: encodeJson(sortKeys(metaData)) }),
  };
}

function mergeObjects(
  original: JsonObject | undefined,
  augment: JsonObject | undefined,
  member: string,
): JsonObject | undefined {
  if (original === undefined || augment === undefined) return augment ?? original;
  const merged = Object.entries(augment).map(([key, value]): [string, Json] => {
    const old = Object.hasOwn(original, key) ? original[key] : undefined;
    return [key, old === undefined ? value : mergeValues(old, value, key, member)];
  });
  return Object.fromEntries([...Object.entries(original), ...merged]);
}

function mergeValues(old: Json, value: Json, key: string, member: string): Json {
  if (kindOf(old) !== kindOf(value)) {
    throw new ArtifactError(
      'malformedHeader',
      `"${key}" would replace a ${kindOf(old)} by a ${kindOf(value)}`,
      { member },
    );
  }
  return isObject(old) && isObject(value) ? (mergeObjects(old, value, member) ?? {}) : value;
}

function kindOf(value: Json): 'list' | 'object' | 'single value' {
  if (Array.isArray(value)) return 'list';
  return isObject(value) ? 'object' : 'single value';
}
