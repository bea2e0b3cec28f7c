import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { codeOf, wordsOf } from '../client-error.ts';
import type { DeviceRecords } from '../provides-store/device-store.ts';
import type { Files, Log } from '../system/system.ts';
import { menderRecords, takenOverKeys } from './mender-records.ts';
import { lmdbLimits, readLmdb } from './read-lmdb.ts';

/** What Mender's client left on the device. */
export interface MenderStore {
  readonly records: DeviceRecords;
  /** Changes with what is taken over, and with nothing else: it tells whether Mender has run since. */
  readonly digest: string;
}

/**
 * Reads the database `mender-store` of Mender's client (generations 1 to 5), which is never written: should the update to this
 * client be rolled back, Mender finds its deployment as it left it. Undefined when there is none, or nothing in it; also when it is
 * damaged, which the log then tells.
 */
export async function readMenderStore(
  files: Pick<Files, 'read'>,
  datastore: string,
  log: Log,
): Promise<MenderStore | undefined> {
  const path = join(datastore, 'mender-store');
  try {
    const file = await files.read(path, lmdbLimits.fileBytes);
    if (file === undefined || file.length === 0) return undefined;
    const entries = readLmdb(file);
    const taken = menderRecords(entries);
    if (taken === undefined) return undefined;
    if (taken.faults.length > 0)
      log('error', `Not all of Mender's database ${path} can be taken over: ${taken.faults.join('; ')}`);
    return { records: taken.records, digest: digestOf(entries) };
  } catch (error) {
    const why = codeOf(error) === 'badDatabase' ? wordsOf(error) : `it cannot be read (${String(error)})`;
    log('error', `Mender's database ${path} cannot be taken over: ${why}. It is left as it is.`);
    return undefined;
  }
}

function digestOf(entries: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256');
  for (const key of takenOverKeys) {
    const value = entries.get(key);
    if (value !== undefined) hash.update(`${key} ${value.length}\n`).update(value);
  }
  return hash.digest('hex');
}
