import type { PayloadArchivePlace, PayloadFile, RestartPoint } from '@tandem/artifact';
import type { ArtifactIdentity } from '../server-connection/artifact-identity.ts';
import type { Clock } from '../system/system.ts';
import type { DownloadProgress } from './payload-installer.ts';
import type { StoredDownload } from './saved-download.ts';

/** Progress is saved when so much more is there, or so long after the last time: a cut costs no more than the lesser, and a piece. */
export const savedEvery = { bytes: 16 * 1024 * 1024, ms: 10_000 } as const;

/** Puts together from what the parts of a download tell how it could go on after a power cut. */
export interface ProgressKeeper extends DownloadProgress {
  readonly onIdentity: (identity: ArtifactIdentity) => void;
  readonly onPayloadArchive: (archive: PayloadArchivePlace) => void;
  readonly onRestartPoint: (point: RestartPoint) => void;
  readonly onFile: (file: PayloadFile) => void;
}

/**
 * Calls `save` with the last restart point of which all content is durable. A download that cannot go on in the middle never is due: of
 * an artifact without restart points, of several files, or from a server that does not say how long the artifact is.
 */
export function keepProgress(
  clock: Pick<Clock, 'now'>,
  save: (stored: StoredDownload) => Promise<void>,
): ProgressKeeper {
  let identity: ArtifactIdentity | undefined;
  let archiveOffset: number | undefined;
  let file: PayloadFile | undefined;
  let fileCount = 0;
  const points: RestartPoint[] = [];
  let lastBytes = 0;
  let lastAt = clock.now();

  const positionOf = (point: RestartPoint) => point.uncompressedOffset - (file?.contentOffset ?? 0);
  /** Of those that are there, the last; what lies before it is of no more use. */
  const lastPointWithin = (bytes: number): RestartPoint | undefined =>
    points.findLast((point) => positionOf(point) >= 0 && positionOf(point) <= bytes);

  return {
    onIdentity: (found) => {
      identity = found;
    },
    onPayloadArchive: ({ offset }) => {
      archiveOffset = offset;
    },
    onRestartPoint: (point) => {
      points.push(point);
    },
    onFile: (found) => {
      file = found;
      fileCount += 1;
      lastBytes = found.resumedAt ?? 0;
    },
    isDue: (bytes) => {
      if (identity === undefined || fileCount !== 1 || lastPointWithin(bytes) === undefined) return false;
      const elapsedMs = clock.now() - lastAt;
      // A clock that was set back counts as time gone by.
      return bytes - lastBytes >= savedEvery.bytes || elapsedMs >= savedEvery.ms || elapsedMs < 0;
    },
    stored: async ({ target, bytes }) => {
      const point = lastPointWithin(bytes);
      if (point === undefined || file === undefined || identity === undefined || archiveOffset === undefined)
        return;
      lastBytes = bytes;
      lastAt = clock.now();
      points.splice(0, points.indexOf(point) + 1);
      const { name, sizeBytes, mode, modifiedAt, contentOffset, sha256 } = file;
      await save({
        identity,
        archiveOffset,
        point,
        file: { name, sizeBytes, mode, modifiedAt, contentOffset, sha256 },
        target,
      });
    },
  };
}
