import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ServerError } from '../server-error.ts';
import { readManifest, type BackedUpFile, type BackupManifest } from './backup-manifest.ts';
import { copyFileDurably, syncDirectory } from './copy-file.ts';
import { exists } from './data-directory.ts';

/**
 * Makes a data directory out of a backup; it must be empty or not there. Every file is compared with what the backup says of it,
 * and the directory gets its name when all is in it: what is there is whole. Throws `badRequest`, `conflict`.
 */
export async function restore(from: string, dataDirectory: string): Promise<BackupManifest> {
  const isThere = await exists(dataDirectory);
  if (isThere && (await readdir(dataDirectory)).length > 0) {
    throw new ServerError(
      'badRequest',
      `${dataDirectory} is not empty: a backup is restored into a new directory`,
    );
  }
  const manifest = await readManifest(from);
  const unfinished = `${dataDirectory}.restoring`;
  await rm(unfinished, { recursive: true, force: true });
  try {
    for (const file of manifest.files) await restoreFile(file, from, unfinished);
    if (isThere) await rmdir(dataDirectory);
    await rename(unfinished, dataDirectory);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(dirname(dataDirectory));
  return manifest;
}

async function restoreFile(file: BackedUpFile, from: string, to: string): Promise<void> {
  const source = join(from, file.path);
  const copied = await copyFileDurably(source, join(to, file.path));
  if (copied.sha256 !== file.sha256 || copied.sizeBytes !== file.sizeBytes || copied.mode !== file.mode) {
    throw new ServerError(
      'conflict',
      `${source} is not as it was backed up (${file.sizeBytes} bytes, mode ${file.mode.toString(8)}, SHA-256 ${file.sha256}): ` +
        'nothing was restored; take another backup',
    );
  }
  await syncDirectory(dirname(join(to, file.path)));
}
