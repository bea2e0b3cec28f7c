import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../clock.ts';
import { writeDurably } from '../write-durably.ts';
import { openFileSystemStorage } from './file-system-storage.ts';
import { ObjectStorageError, type ObjectStorage } from './object-storage.ts';
import { readS3Location, s3LocationForm, type S3Location } from './s3-location.ts';
import { s3Requests, type S3Credentials, type S3Requests } from './s3-requests.ts';
import { s3Storage } from './s3-storage.ts';

/** As the configuration has it. */
export interface StorageConfiguration {
  /** `s3LocationForm`; undefined for a directory. */
  readonly storage: string | undefined;
  readonly storageAccessKey: string | undefined;
  readonly storageSecretKey: string | undefined;
  readonly storageSessionToken: string | undefined;
}

export interface StoragePaths {
  /** Of artifacts, where there is no bucket. */
  readonly artifacts: string;
  /** Of the file that says which server this is to a bucket. */
  readonly owner: string;
}

/**
 * The storage that is meant, for a server: a bucket, or the directory. A bucket, or the part of it below the prefix, is one
 * server's: it removes what none of its artifacts refers to. So its first server marks it, and any other is refused.
 * Throws ObjectStorageError `refused`, `unreachable`.
 */
export async function openObjectStorage(
  configuration: StorageConfiguration,
  paths: StoragePaths,
  clock: Clock,
): Promise<ObjectStorage> {
  const bucket = bucketOf(configuration);
  if (bucket !== undefined) {
    const { location, credentials } = bucket;
    await claim(s3Requests(location, credentials, clock), location, await ownerOf(paths.owner));
  }
  return lookIntoObjectStorage(configuration, paths, clock);
}

/** The same for somebody who only looks: nothing is marked. */
export async function lookIntoObjectStorage(
  configuration: StorageConfiguration,
  paths: Pick<StoragePaths, 'artifacts'>,
  clock: Clock,
): Promise<ObjectStorage> {
  const bucket = bucketOf(configuration);
  return bucket === undefined ? openFileSystemStorage(paths.artifacts) : s3Storage({ ...bucket, clock });
}

function bucketOf(
  configuration: StorageConfiguration,
): { readonly location: S3Location; readonly credentials: S3Credentials } | undefined {
  if (configuration.storage === undefined) return undefined;
  const location = readS3Location(configuration.storage);
  if (location === undefined) {
    throw new ObjectStorageError('refused', `${configuration.storage} is no bucket: give ${s3LocationForm}`);
  }
  return { location, credentials: credentialsOf(configuration) };
}

function credentialsOf(configuration: StorageConfiguration): S3Credentials {
  const { storageAccessKey, storageSecretKey, storageSessionToken } = configuration;
  if (storageAccessKey === undefined || storageSecretKey === undefined) {
    throw new ObjectStorageError('refused', 'opening the storage: its access key and secret key are missing');
  }
  return {
    accessKeyId: storageAccessKey,
    secretAccessKey: storageSecretKey,
    sessionToken: storageSessionToken,
  };
}

/** No key of an object begins with a dot. */
const markerName = ({ prefix }: S3Location): string => `${prefix}.tandem-server`;

async function claim(requests: S3Requests, location: S3Location, owner: string): Promise<void> {
  const name = markerName(location);
  if ((await requests.headers({ method: 'HEAD', name })) === undefined) {
    await requests.text({ method: 'PUT', name, body: owner });
  }
  // Two that are first at the same moment may both pass; one of them is refused at its next start.
  const found = await requests.text({ method: 'GET', name });
  if (found === owner) return;
  throw new ObjectStorageError(
    'refused',
    `s3://${location.bucket}/${location.prefix} belongs to another server: give each a bucket or a prefix of its own. ` +
      `If this is that server with new keys, delete ${name} from the bucket`,
  );
}

/** Made once; it goes with the keys, into backups and to the servers that share a database. */
async function ownerOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const owner = randomBytes(16).toString('hex');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeDurably(path, owner, 0o600);
  return owner;
}
