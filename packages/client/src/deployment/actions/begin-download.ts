import { ArtifactError, type ResumeFrom } from '@tandem/artifact';
import { codeOf, wordsOf } from '../../client-error.ts';
import type { ArtifactRest } from '../../server-connection/resumable-download.ts';
import { deploymentOf, installerOf, type DeploymentRun } from '../deployment-run.ts';
import {
  readSavedDownload,
  saveDownload,
  type SavedDownload,
  type StoredDownload,
} from '../saved-download.ts';

/** From where a download starts, and how its progress is kept. */
export interface DownloadStart {
  /** Undefined: from the first byte. */
  readonly resume?: ResumedDownload;
  readonly save: (stored: StoredDownload) => Promise<void>;
  /** Whether what went wrong only shows that this is no place to go on from. */
  readonly mayBeginAnew: (error: unknown) => boolean;
}

export interface ResumedDownload {
  readonly stored: StoredDownload;
  readonly rest: ArtifactRest;
  readonly reading: ResumeFrom;
}

/** Interruptions in a row between which nothing more was stored; then a download that ends the device each time has failed. */
export const fruitlessStartsLimit = 10;

/**
 * Counts on disk that the device starts again in the middle of a download: one that does not survive its download must not try for ever.
 * False when it has tried often enough, or cannot count; the log then says so.
 */
export async function mayStartAgain(run: DeploymentRun): Promise<boolean> {
  const { files } = run.needs.system;
  const { datastore } = run.needs.paths;
  const { id } = deploymentOf(run);
  const saved = await readSavedDownload(files, datastore, id, run.log);
  const fruitlessStarts = (saved?.fruitlessStarts ?? 0) + 1;
  if (fruitlessStarts > fruitlessStartsLimit) {
    run.log(
      'error',
      `The download was interrupted ${fruitlessStartsLimit} times in a row without getting on; given up. Look why this device or its client ends while it downloads.`,
    );
    return false;
  }
  try {
    await saveDownload(files, datastore, { ...saved, deploymentId: id, fruitlessStarts });
    return true;
  } catch (error) {
    run.log('error', `Cannot go on with the download: ${wordsOf(error)}`);
    return false;
  }
}

/** Looks where an interrupted download of this deployment can go on. */
export async function beginDownload(
  run: DeploymentRun,
  from: 'whereItWas' | 'zero',
  signal: AbortSignal,
): Promise<DownloadStart> {
  if (run.kind === 'standalone') return { save: async () => undefined, mayBeginAnew: () => false };
  const { files } = run.needs.system;
  const { datastore } = run.needs.paths;
  const deploymentId = deploymentOf(run).id;
  const saved = await readSavedDownload(files, datastore, deploymentId, run.log);
  const resume = saved === undefined || from === 'zero' ? undefined : await findResume(run, saved, signal);
  return {
    ...(resume === undefined ? {} : { resume }),
    save: async (stored) => {
      try {
        await saveDownload(files, datastore, { deploymentId, fruitlessStarts: 0, stored });
      } catch (error) {
        // A full data partition must not keep an image from its own; only a cut would now cost more.
        if (codeOf(error) === 'storageHangs') throw error;
        run.log('warning', `Could not save how far the download has come: ${wordsOf(error)} (going on)`);
      }
    },
    mayBeginAnew: (error) =>
      codeOf(error) === 'artifactChanged' ||
      (resume !== undefined && error instanceof ArtifactError && error.code === 'checksumMismatch'),
  };
}

/** Where to go on, with a line in the log that says so; or why that cannot be. */
async function findResume(
  run: DeploymentRun,
  saved: SavedDownload,
  signal: AbortSignal,
): Promise<ResumedDownload | undefined> {
  const atZero = (reason: string) => {
    run.log('info', `The download was interrupted and starts at zero: ${reason}.`);
    return undefined;
  };
  const { stored } = saved;
  if (stored === undefined)
    return atZero('nothing was stored from which it could go on (it needs an artifact with restart points)');
  const { identity, archiveOffset, point, file, target } = stored;
  const bytes = point.uncompressedOffset - file.contentOffset;
  try {
    const installer = await installerOf(run);
    const content = await installer.storedContent?.({ target, bytes }, signal);
    if (content === undefined) return atZero(`${target} is no place to go on any more`);
    run.log(
      'info',
      `The download was interrupted and goes on at byte ${point.compressedOffset} of ${identity.totalBytes}; ${bytes} bytes of ${file.name} are on ${target} and are hashed again.`,
    );
    return {
      stored,
      rest: { identity, headBytes: archiveOffset, from: point.compressedOffset },
      reading: { point, file, stored: () => content },
    };
  } catch (error) {
    signal.throwIfAborted();
    return atZero(wordsOf(error));
  }
}
