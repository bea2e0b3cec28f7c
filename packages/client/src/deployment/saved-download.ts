import { join } from 'node:path';
import type { PayloadFile, RestartPoint } from '@tandem/artifact';
import type { ArtifactIdentity } from '../server-connection/artifact-identity.ts';
import type { Files, Log } from '../system/system.ts';

/**
 * How far a download has come, in the file `tandem-download.json` of the datastore directory: what a device needs that lost its
 * power in the middle. A file of its own, because it changes while the deployment's record does not.
 */
export interface SavedDownload {
  readonly deploymentId: string;
  /** Interruptions in a row between which nothing more was stored; see `mayStartAgain`. */
  readonly fruitlessStarts: number;
  /** Absent until something is stored from which to go on. */
  readonly stored?: StoredDownload;
}

export interface StoredDownload {
  readonly identity: ArtifactIdentity;
  /** Where the payload's archive begins in the artifact. */
  readonly archiveOffset: number;
  readonly point: RestartPoint;
  readonly file: Pick<PayloadFile, 'name' | 'sizeBytes' | 'mode' | 'modifiedAt' | 'contentOffset' | 'sha256'>;
  /** The installer's word for where the file's content before the point is. */
  readonly target: string;
}

/** What is saved of this deployment's download; undefined when there is nothing, or nothing that can be used. */
export async function readSavedDownload(
  files: Pick<Files, 'read'>,
  datastore: string,
  deploymentId: string,
  log: Log,
): Promise<SavedDownload | undefined> {
  const path = savedDownloadPath(datastore);
  try {
    const bytes = await files.read(path, maxBytes);
    if (bytes === undefined) return undefined;
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (!isSavedDownload(value)) throw new Error('it does not say what it should');
    return value.deploymentId === deploymentId ? value : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log('warning', `What was saved of the download cannot be used (${path}: ${reason}).`);
    return undefined;
  }
}

/** Durable when resolved. */
export const saveDownload = async (
  files: Pick<Files, 'writeDurably'>,
  datastore: string,
  saved: SavedDownload,
): Promise<void> => files.writeDurably(savedDownloadPath(datastore), `${JSON.stringify(saved)}\n`, 0o600);

export const removeSavedDownload = async (
  files: Pick<Files, 'removeDurably'>,
  datastore: string,
): Promise<void> => files.removeDurably(savedDownloadPath(datastore));

const savedDownloadPath = (datastore: string): string => join(datastore, 'tandem-download.json');
const maxBytes = 64 * 1024;

function isSavedDownload(value: unknown): value is SavedDownload {
  return (
    isObject(value) &&
    typeof value['deploymentId'] === 'string' &&
    isCount(value['fruitlessStarts']) &&
    (value['stored'] === undefined || isStoredDownload(value['stored']))
  );
}

function isStoredDownload(value: unknown): value is StoredDownload {
  if (!isObject(value)) return false;
  const { identity, point, file } = value;
  return (
    isObject(identity) &&
    isCount(identity['totalBytes']) &&
    isTextOrNone(identity['etag']) &&
    isTextOrNone(identity['lastModified']) &&
    isCount(value['archiveOffset']) &&
    isObject(point) &&
    ['payloadIndex', 'compressedOffset', 'uncompressedOffset'].every((field) => isCount(point[field])) &&
    isObject(file) &&
    ['sizeBytes', 'mode', 'modifiedAt', 'contentOffset'].every((field) => isCount(file[field])) &&
    typeof file['name'] === 'string' &&
    typeof file['sha256'] === 'string' &&
    typeof value['target'] === 'string'
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isTextOrNone = (value: unknown): boolean => value === undefined || typeof value === 'string';
