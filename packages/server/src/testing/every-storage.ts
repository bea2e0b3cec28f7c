import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { openFileSystemStorage } from '../object-storage/file-system-storage.ts';
import type { ObjectStorage } from '../object-storage/object-storage.ts';
import { readS3Location, type S3Location } from '../object-storage/s3-location.ts';
import { unfinishedUploads } from '../object-storage/s3-multipart.ts';
import { s3Requests, type S3Credentials } from '../object-storage/s3-requests.ts';
import { s3Storage } from '../object-storage/s3-storage.ts';
import { elements, textOf } from '../object-storage/s3-xml.ts';

export interface TestStorage {
  readonly storage: ObjectStorage;
  /** The names of everything there, what is half stored included. */
  readonly stored: () => Promise<string[]>;
}

/**
 * What tests open instead of one of the two: a directory, or a bucket where TANDEM_TEST_S3 is a `--storage` and the credentials
 * are in the environment. So every test that goes through here holds for both; the suite server-s3 runs them once more.
 */
export const everyStorage = {
  /** For `removeLeftovers`, to look at all there is: a bucket counts in whole seconds, and by its own clock. */
  everythingIsOlderThanMs: (): number => (bucket() === undefined ? 0 : -5000),

  /** The storage of that directory: what one opening has stored, the next finds. The clock is for requests to the bucket. */
  open: async (directory: string, clock: Clock = Date.now): Promise<TestStorage> => {
    const location = locationFor(directory);
    if (location === undefined) {
      return { storage: await openFileSystemStorage(directory), stored: () => filesIn(directory) };
    }
    const world = { location, credentials: credentials(), clock };
    return { storage: s3Storage(world), stored: () => namesIn(world.location) };
  },
};

const credentials = (): S3Credentials => ({
  accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '',
  secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
  sessionToken: undefined,
});

const bucket = (): string | undefined => process.env['TANDEM_TEST_S3'];

/** A prefix of its own for each directory: as good as an empty bucket. */
function locationFor(directory: string): S3Location | undefined {
  const given = bucket();
  if (given === undefined) return undefined;
  const prefix = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  const location = readS3Location(given.replace(/^(s3:\/\/[^?/]+)/, `$1/${prefix}`));
  if (location === undefined) throw new Error(`TANDEM_TEST_S3 is no storage: ${given}`);
  return location;
}

const filesIn = async (directory: string): Promise<string[]> =>
  (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

async function namesIn(location: S3Location): Promise<string[]> {
  const requests = s3Requests(location, credentials(), Date.now);
  const list = await requests.text({ method: 'GET', query: { 'list-type': '2', prefix: location.prefix } });
  const names = elements(list, 'Contents').map((entry) => textOf(entry, 'Key') ?? '');
  for await (const { name } of unfinishedUploads(requests, location.prefix)) names.push(name);
  return names;
}
