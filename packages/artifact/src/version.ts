import { ArtifactError } from './errors.ts';
import { encodeJson, isObject, parseJson } from './json.ts';

/** The member `version` (format clause 2). Throws `ArtifactError` (malformedVersion, unsupportedVersion). */
export function parseVersion(bytes: Uint8Array): 2 | 3 {
  const value = parseJson(bytes, 'version', 'malformedVersion');
  if (!isObject(value) || value['format'] !== 'mender' || typeof value['version'] !== 'number') {
    throw malformed('it must say {"format":"mender","version":3}');
  }
  const extra = Object.keys(value).filter((key) => key !== 'format' && key !== 'version');
  if (extra.length > 0) throw malformed(`unknown field "${extra.join('", "')}"`);
  const version = value['version'];
  if (version === 2 || version === 3) return version;
  const reason = version === 1 ? 'version 1 is no longer supported' : 'only versions 2 and 3 are supported';
  throw new ArtifactError('unsupportedVersion', `format version ${version}: ${reason}`, {
    member: 'version',
  });
}

export function encodeVersion(version: 2 | 3): Uint8Array {
  return encodeJson({ format: 'mender', version });
}

function malformed(message: string): ArtifactError {
  return new ArtifactError('malformedVersion', message, { member: 'version' });
}
