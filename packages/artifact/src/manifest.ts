import { ArtifactError } from './errors.ts';
import { limits } from './limits.ts';

/** SHA-256 (lower case hex) by name, in the order of the lines. */
export type Manifest = ReadonlyMap<string, string>;

const line = /^([0-9a-f]{64}) {2}([^ \t\r]+)$/;

/**
 * The member `manifest` or `manifest-augment` (format clause 3). Throws `ArtifactError` (malformedManifest) for anything but lines
 * `<sha256><two spaces><name>`, each ended by a newline, each name once.
 */
export function parseManifest(bytes: Uint8Array, member: string): Manifest {
  const text = decode(bytes, member);
  if (!text.endsWith('\n')) throw malformed('it must end with a newline', member);
  const entries = new Map<string, string>();
  for (const [index, written] of text.slice(0, -1).split('\n').entries()) {
    const [, checksum, name] = line.exec(written) ?? [];
    if (checksum === undefined || name === undefined) {
      throw malformed(`line ${index + 1} is not "<sha256 in lower case>  <name>"`, member);
    }
    if (entries.has(name)) throw malformed(`"${name}" is listed twice`, member);
    entries.set(name, checksum);
  }
  return entries;
}

export function encodeManifest(entries: Iterable<readonly [name: string, sha256: string]>): Uint8Array {
  return Buffer.from(Array.from(entries, ([name, sha256]) => `${sha256}  ${name}\n`).join(''));
}

/**
 * The files of payload `index` a manifest lists, in its order. Throws `ArtifactError` (forbiddenName) for a name that is more than
 * a plain file name.
 */
export function payloadFilesIn(
  manifest: Manifest,
  index: number,
  member: string,
): { name: string; sha256: string }[] {
  const directory = payloadDirectory(index);
  return Array.from(manifest)
    .filter(([name]) => name.startsWith(directory))
    .map(([name, sha256]) => {
      const base = name.slice(directory.length);
      assertPayloadFileName(base, member);
      return { name: base, sha256 };
    });
}

/** `data/0000/` */
export function payloadDirectory(index: number): string {
  return `data/${String(index).padStart(4, '0')}/`;
}

/** Throws unless every entry is a payload's file or one of `members`. */
export function assertNothingElseListed(
  manifest: Manifest,
  members: readonly string[],
  payloadCount: number,
  member: string,
): void {
  const directories = Array.from({ length: payloadCount }, (_, index) => payloadDirectory(index));
  for (const name of manifest.keys()) {
    if (members.includes(name) || directories.some((directory) => name.startsWith(directory))) continue;
    throw malformed(`"${name}" is listed but belongs to no part of the artifact`, member);
  }
}

/** Names the reference and every device accept (format clause 6): no separators, no white space, not `.` or `..`. */
export function assertPayloadFileName(name: string, member: string): void {
  if (/^[\w.,-]+$/.test(name) && name !== '.' && name !== '..' && name.length <= limits.nameLength) return;
  throw new ArtifactError(
    'forbiddenName',
    `"${name}" cannot name a payload file; only letters, digits and . , _ - are allowed, at most ${limits.nameLength} of them`,
    { member },
  );
}

function decode(bytes: Uint8Array, member: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ArtifactError('malformedManifest', 'it is not UTF-8 text', { member, cause });
  }
}

function malformed(message: string, member: string): ArtifactError {
  return new ArtifactError('malformedManifest', message, { member });
}
