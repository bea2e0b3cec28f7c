import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ServerError } from '../server-error.ts';

/** What a backup holds, and what it must still hold when it is restored. */
export interface BackupManifest {
  readonly format: 1;
  /** RFC 3339. */
  readonly created: string;
  /** The bucket that artifacts are in; absent when they are among the files. */
  readonly storage?: string;
  /** Sorted by path. */
  readonly files: readonly BackedUpFile[];
}

export interface BackedUpFile {
  /** Below the data directory and below the backup alike, with `/` between the parts. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly mode: number;
}

/** Written last: a directory without it is a backup that was never finished. */
export const manifestName = 'backup.json';

const maxManifestBytes = 256 * 1024 ** 2;
const pathPattern =
  /^(tandem\.sqlite|(keys|tls)\/[A-Za-z0-9][A-Za-z0-9._-]*|artifacts\/[A-Za-z0-9-]+\/[A-Za-z0-9-]+)$/;

/** One number for all files: equal when every name, byte and mode is. */
export function backupDigest({ files }: Pick<BackupManifest, 'files'>): string {
  const hash = createHash('sha256');
  for (const { path, sizeBytes, sha256, mode } of files) {
    hash.update(`${path}\t${sizeBytes}\t${sha256}\t${mode.toString(8)}\n`);
  }
  return hash.digest('hex');
}

/** Throws `badRequest` unless the directory holds a finished backup that we know to read. */
export async function readManifest(directory: string): Promise<BackupManifest> {
  const path = join(directory, manifestName);
  const given = parse(await readBounded(path), path);
  if (!isManifest(given)) throw refused(path, 'is not the list of a backup, or of another version');
  const bad = given.files.find((file) => !pathPattern.test(file.path));
  if (bad !== undefined) throw refused(path, `names a file no backup holds: ${JSON.stringify(bad.path)}`);
  return given;
}

async function readBounded(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      if ((await file.stat()).size > maxManifestBytes) throw refused(path, 'is too long');
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof ServerError) throw cause;
    throw refused(path, 'cannot be read: name the directory of a backup that was finished', cause);
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw refused(path, 'is no JSON', cause);
  }
}

const isManifest = (given: unknown): given is BackupManifest =>
  typeof given === 'object' &&
  given !== null &&
  'format' in given &&
  given.format === 1 &&
  'created' in given &&
  typeof given.created === 'string' &&
  (!('storage' in given) || typeof given.storage === 'string') &&
  'files' in given &&
  Array.isArray(given.files) &&
  given.files.every(isFile);

const isFile = (given: unknown): given is BackedUpFile =>
  typeof given === 'object' &&
  given !== null &&
  'path' in given &&
  typeof given.path === 'string' &&
  'sizeBytes' in given &&
  typeof given.sizeBytes === 'number' &&
  'sha256' in given &&
  typeof given.sha256 === 'string' &&
  'mode' in given &&
  typeof given.mode === 'number';

const refused = (path: string, why: string, cause?: unknown) =>
  new ServerError('badRequest', `${path} ${why}`, { cause });
