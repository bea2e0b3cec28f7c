import { dirname, join } from 'node:path';
import { ClientError, wordsOf } from '../client-error.ts';
import {
  faultsOfManagedRecord,
  faultsOfStandaloneRecord,
  type ManagedRecord,
  type StandaloneRecord,
} from '../deployment/saved-deployment.ts';
import { readMenderStore } from '../migration/mender-store.ts';
import type { Files, Log } from '../system/system.ts';

/**
 * What the device knows of itself and of an update in flight. Keys are those of the reference's database (client contract 11).
 */
export interface DeviceRecords {
  readonly 'artifact-name'?: string | undefined;
  readonly 'artifact-group'?: string | undefined;
  /** Without artifact_name and artifact_group. */
  readonly 'artifact-provides': Readonly<Record<string, string>>;
  readonly state?: ManagedRecord | undefined;
  readonly 'standalone-state'?: StandaloneRecord | undefined;
  /** The digest of what was taken over from Mender's database; absent where there was none. */
  readonly 'taken-over'?: string | undefined;
}

/**
 * One file, so that provides and the state of the update change in one atomic write or not at all.
 *
 * INVARIANT: `update` is called only by who holds the update lock (`update-lock.ts`); `read` by anyone.
 */
export interface DeviceStore {
  read(): Promise<DeviceRecords>;
  /** Replaces the records named, removes those named with undefined, keeps the others. Durable when resolved. */
  update(change: Partial<DeviceRecords>): Promise<void>;
}

/**
 * The store in the file `tandem-store.json` of the datastore directory. A file that cannot be understood is kept as
 * `tandem-store.json-broken`, and the device starts with an empty store: it can still be updated, its name is `unknown`.
 *
 * What Mender's client left counts until the first `update`, which makes it ours. It counts again, and more than ours, once Mender has
 * run in between: after an update to this client was rolled back, Mender has the word until the next one.
 */
export function deviceStore(files: Files, datastore: string, log: Log): DeviceStore {
  const path = join(datastore, 'tandem-store.json');
  const readOwn = async (): Promise<DeviceRecords | undefined> => {
    const bytes = await files.read(path, maxStoreBytes).catch((cause: unknown) => {
      throw new ClientError('storeUnusable', `Could not read the device store ${path}: ${wordsOf(cause)}`, {
        path,
        cause,
      });
    });
    if (bytes === undefined) return undefined;
    const parsed = parseRecords(bytes);
    if ('records' in parsed) return parsed.records;
    log(
      'error',
      `The device store ${path} is damaged and is kept as ${path}-broken; going on with an empty one. Found: ${parsed.faults.join('; ')}`,
    );
    await files.writeDurably(`${path}-broken`, bytes, 0o600);
    await files.removeDurably(path);
    return undefined;
  };
  const read = async (): Promise<DeviceRecords> => {
    const own = await readOwn();
    const mender = await readMenderStore(files, datastore, log);
    if (mender === undefined || mender.digest === own?.['taken-over']) return own ?? emptyRecords;
    log(
      'info',
      `Taking over from Mender's client: ${mender.records['artifact-name'] ?? 'no artifact name'}, ` +
        (mender.records.state === undefined
          ? 'no deployment in progress'
          : `deployment ${mender.records.state.UpdateInfo.ID} in ${mender.records.state.Name}`),
    );
    return { ...mender.records, 'taken-over': mender.digest };
  };
  return {
    read,
    update: async (change) => {
      const records = { ...(await read()), ...change };
      await files.makeDirectoryDurably(dirname(path), 0o700);
      await files.writeDurably(path, `${JSON.stringify(records, undefined, 2)}\n`, 0o600);
    },
  };
}

/** What is sent to the server, checked against depends and shown by show-provides. */
export function allProvides(records: DeviceRecords): Record<string, string> {
  return {
    ...records['artifact-provides'],
    ...(records['artifact-name'] === undefined ? {} : { artifact_name: records['artifact-name'] }),
    ...(records['artifact-group'] === undefined ? {} : { artifact_group: records['artifact-group'] }),
  };
}

const emptyRecords: DeviceRecords = { 'artifact-provides': {} };
const maxStoreBytes = 16 * 1024 * 1024;

function parseRecords(bytes: Uint8Array): { records: DeviceRecords } | { faults: readonly string[] } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    return { faults: [wordsOf(error)] };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return { faults: ['not an object'] };
  const records = parsed as Readonly<Record<string, unknown>>;
  const provides = records['artifact-provides'];
  const faults = [
    ...['artifact-name', 'artifact-group', 'taken-over']
      .filter((key) => records[key] !== undefined && typeof records[key] !== 'string')
      .map((key) => `${key}: not text`),
    ...(typeof provides === 'object' &&
    provides !== null &&
    !Array.isArray(provides) &&
    Object.values(provides).every((value) => typeof value === 'string')
      ? []
      : ['artifact-provides: not an object of texts']),
    ...(records['state'] === undefined ? [] : faultsOfManagedRecord(records['state'])),
    ...(records['standalone-state'] === undefined
      ? []
      : faultsOfStandaloneRecord(records['standalone-state'])),
  ];
  // The faults above are exactly what the type says; none is left.
  return faults.length > 0 ? { faults } : { records: records as unknown as DeviceRecords };
}
