import type { HeaderInfo } from './artifact.ts';
import { ArtifactError } from './errors.ts';
import { encodeJson, isObject, isStringList, parseJson, type Json, type JsonObject } from './json.ts';
import { limits } from './limits.ts';

/**
 * The member `header-info` of either format version (format clause 5.1). Throws `ArtifactError` (malformedHeader) naming all faults.
 * Unknown fields are faults where the reference says so.
 */
export function parseHeaderInfo(
  bytes: Uint8Array,
  version: 2 | 3,
  member: string,
  isAugment = false,
): HeaderInfo {
  const value = parseJson(bytes, member, 'malformedHeader');
  if (!isObject(value)) throw malformed(['it must be a JSON object'], member);
  const { info, faults } = version === 3 ? readVersion3(value) : readVersion2(value);
  // The header of an augmentation may leave out all but the payload's type, and even that be empty.
  const all = isAugment ? [] : [...faults, ...faultsIn(info)];
  if (all.length > 0) throw malformed(all, member);
  return info;
}

/** The member's bytes, keys in the order of the reference. */
export function encodeHeaderInfo(info: HeaderInfo, version: 2 | 3): Uint8Array {
  const { deviceTypes, artifactNames, artifactGroups } = info.depends;
  if (version === 2) {
    const updates = info.payloadTypes.map((type) => ({ type }));
    return encodeJson({ artifact_name: info.artifactName, updates, device_types_compatible: deviceTypes });
  }
  return encodeJson({
    payloads: info.payloadTypes.map((type) => ({ type })),
    artifact_provides: {
      artifact_name: info.artifactName,
      ...(info.artifactGroup === undefined ? {} : { artifact_group: info.artifactGroup }),
    },
    artifact_depends: {
      ...(artifactNames === undefined ? {} : { artifact_name: artifactNames }),
      device_type: deviceTypes,
      ...(artifactGroups === undefined ? {} : { artifact_group: artifactGroups }),
    },
  });
}

/** What is wrong with header information, whoever made it; empty when nothing is. */
export function faultsIn(info: HeaderInfo): string[] {
  const faults: string[] = [];
  if (info.artifactName === '') faults.push('the artifact has no name');
  if (info.depends.deviceTypes.length === 0) faults.push('no compatible device type is given');
  if (info.payloadTypes.length === 0) faults.push('no payload is declared');
  if (info.payloadTypes.includes('')) faults.push('a payload has an empty type');
  // Devices look for a program of this name.
  if (info.payloadTypes.some((type) => type !== null && /^\.{1,2}$|[/\\]/.test(type))) {
    faults.push('a payload type cannot be a path');
  }
  const texts = [
    info.artifactName,
    info.artifactGroup ?? '',
    ...info.depends.deviceTypes,
    ...(info.depends.artifactNames ?? []),
    ...(info.depends.artifactGroups ?? []),
    ...info.payloadTypes.map((type) => type ?? ''),
  ];
  for (const text of texts) {
    if (Buffer.byteLength(text) > limits.headerString)
      faults.push(`"${text.slice(0, 20)}..." is over 256 bytes long`);
    if (!printable.test(text))
      faults.push(`${JSON.stringify(text.slice(0, 40))} has characters that cannot be printed`);
  }
  return faults;
}

/** Letters, marks, numbers, punctuation, symbols, and of white space the space alone. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

interface Reading {
  readonly info: HeaderInfo;
  readonly faults: readonly string[];
}

function readVersion3(value: JsonObject): Reading {
  const faults = unknownFields(value, ['payloads', 'artifact_provides', 'artifact_depends'], '');
  const provides = object(value['artifact_provides'], 'artifact_provides', faults);
  faults.push(...unknownFields(provides, ['artifact_name', 'artifact_group'], 'artifact_provides.'));
  const depends = object(value['artifact_depends'], 'artifact_depends', faults);
  const group =
    provides['artifact_group'] === undefined
      ? ''
      : text(provides['artifact_group'], 'artifact_group', faults);
  return {
    info: {
      artifactName: text(provides['artifact_name'], 'artifact_provides.artifact_name', faults),
      ...(group === '' ? {} : { artifactGroup: group }),
      payloadTypes: payloadTypes(value['payloads'], 'payloads', faults),
      depends: {
        deviceTypes: list(depends['device_type'], 'artifact_depends.device_type', faults) ?? [],
        ...optionalList('artifactNames', depends['artifact_name'], 'artifact_depends.artifact_name', faults),
        ...optionalList(
          'artifactGroups',
          depends['artifact_group'],
          'artifact_depends.artifact_group',
          faults,
        ),
      },
    },
    faults,
  };
}

function readVersion2(value: JsonObject): Reading {
  const faults: string[] = [];
  const info = {
    artifactName: text(value['artifact_name'], 'artifact_name', faults),
    payloadTypes: payloadTypes(value['updates'], 'updates', faults),
    depends: { deviceTypes: list(value['device_types_compatible'], 'device_types_compatible', faults) ?? [] },
  };
  return { info, faults };
}

function payloadTypes(value: Json | undefined, name: string, faults: string[]): (string | null)[] {
  if (!Array.isArray(value)) {
    faults.push(`${name} must be a list`);
    return [];
  }
  return value.map((payload: Json) => {
    const type = isObject(payload) ? payload['type'] : undefined;
    if (typeof type !== 'string' && type !== null) {
      faults.push(`${name} must be a list of objects with a type`);
      return null;
    }
    return type;
  });
}

function object(value: Json | undefined, name: string, faults: string[]): JsonObject {
  if (isObject(value)) return value;
  faults.push(`${name} must be an object`);
  return {};
}

function text(value: Json | undefined, name: string, faults: string[]): string {
  if (typeof value === 'string') return value;
  faults.push(`${name} must be a string`);
  return '';
}

function list(value: Json | undefined, name: string, faults: string[]): readonly string[] | undefined {
  if (isStringList(value)) return value;
  faults.push(`${name} must be a list of strings`);
  return undefined;
}

function optionalList<K extends string>(
  key: K,
  value: Json | undefined,
  name: string,
  faults: string[],
): Partial<Record<K, readonly string[]>> {
  if (value === undefined || value === null) return {};
  const found = list(value, name, faults);
  return found === undefined ? {} : ({ [key]: found } as Record<K, readonly string[]>);
}

function unknownFields(value: JsonObject, known: readonly string[], prefix: string): string[] {
  return Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) => `unknown field ${prefix}${key}`);
}

function malformed(faults: readonly string[], member: string): ArtifactError {
  return new ArtifactError('malformedHeader', faults.join('; '), { member });
}
