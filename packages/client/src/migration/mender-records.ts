import type { DeviceRecords } from '../provides-store/device-store.ts';
import type { Outcome } from '../deployment/deployment-states.ts';
import {
  faultsOfManagedRecord,
  faultsOfStandaloneRecord,
  type ManagedRecord,
  type StandaloneRecord,
} from '../deployment/saved-deployment.ts';

/** The keys of Mender's database that are taken over (client contract 11); the others are tokens and maps of control. */
export const takenOverKeys = [
  'artifact-name',
  'artifact-group',
  'artifact-provides',
  'state',
  'state-uncommitted',
  'standalone-state',
] as const;

export interface MenderRecords {
  readonly records: DeviceRecords;
  /** What was there and could not be understood; it is left out of the records. */
  readonly faults: readonly string[];
}

/**
 * What Mender's client knew of the device and of an update in flight, in our records. Undefined when it knew nothing: then there is
 * nothing to take over. Understands generations 2 to 5, and the record generation 1 leaves when it installs a newer client.
 */
export function menderRecords(entries: ReadonlyMap<string, Uint8Array>): MenderRecords | undefined {
  const text = (key: (typeof takenOverKeys)[number]): string | undefined => {
    const bytes = entries.get(key);
    return bytes === undefined || bytes.length === 0 ? undefined : new TextDecoder().decode(bytes);
  };
  if (
    text('artifact-name') === undefined &&
    text('state') === undefined &&
    text('standalone-state') === undefined
  )
    return undefined;

  const faults: string[] = [];
  const understood = <Value>(key: string, convert: () => Value | readonly string[]): Value | undefined => {
    try {
      const value = convert();
      if (!isFaults(value)) return value;
      faults.push(...value);
    } catch (error) {
      faults.push(`${key}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return undefined;
  };
  const name = text('artifact-name');
  const group = text('artifact-group');
  const provides = understood('artifact-provides', () =>
    providesOf(JSON.parse(text('artifact-provides') ?? '{}')),
  );
  const state = understood('state', () => stateOf(text('state'), text('state-uncommitted'), name));
  const standalone = understood('standalone-state', () => standaloneOf(text('standalone-state')));
  return {
    records: {
      ...(name === undefined ? {} : { 'artifact-name': name }),
      ...(group === undefined ? {} : { 'artifact-group': group }),
      'artifact-provides': provides ?? {},
      ...(state === undefined ? {} : { state }),
      ...(standalone === undefined ? {} : { 'standalone-state': standalone }),
    },
    faults,
  };
}

type Unknowns = Readonly<Record<string, unknown>>;

function providesOf(value: unknown): Readonly<Record<string, string>> | readonly string[] {
  const pairs = Object.entries(objectOf(value));
  if (pairs.some(([, provided]) => typeof provided !== 'string')) return ['artifact-provides: not texts'];
  // These have keys of their own.
  return Object.fromEntries(
    pairs.filter(([key]) => key !== 'artifact_name' && key !== 'artifact_group'),
  ) as Record<string, string>;
}

/** A record of a version that is not known stands beside one that is, while a newer client is on trial. */
function stateOf(
  text: string | undefined,
  uncommitted: string | undefined,
  artifactName: string | undefined,
): ManagedRecord | undefined | readonly string[] {
  if (text === undefined) return undefined;
  const saved = objectOf(JSON.parse(text));
  const known = saved['Version'] === 1 || saved['Version'] === 2;
  const record = known || uncommitted === undefined ? saved : objectOf(JSON.parse(uncommitted));
  const version = record['Version'];
  if (version !== 1 && version !== 2) return [`state.Version: ${JSON.stringify(version)} is not 1 or 2`];
  const info = objectOf(record['UpdateInfo']);
  const artifact = objectOf(info['Artifact']);
  // Generation 1 could do nothing else than to install root file systems, and wrote none of this down.
  const first = version === 1;
  const types = first ? ['rootfs-image'] : listOf(artifact['PayloadTypes']);
  const reboots = first ? ['reboot-type-custom'] : listOf(info['RebootRequested']);
  const converted = {
    Version: 2,
    Name: record['Name'],
    UpdateInfo: {
      ID: info['ID'],
      Artifact: {
        Source: { URI: objectOf(artifact['Source'])['URI'] ?? '' },
        device_types_compatible: listOf(artifact['device_types_compatible'] ?? artifact['CompatibleDevices']),
        artifact_name: artifact['artifact_name'],
        ...withText('artifact_group', artifact['artifact_group']),
        Payloads: payloadsOf(
          types,
          reboots,
          artifact['artifact_provides'],
          artifact['clears_artifact_provides'],
        ),
      },
      SupportsRollback: first ? 'rollback-supported' : (info['SupportsRollback'] ?? ''),
      StateDataStoreCount: info['StateDataStoreCount'] ?? 0,
      Outcome: outcomeOf(record['Name'], info, artifact['artifact_name'] === artifactName),
    },
  };
  const faults = faultsOfManagedRecord(converted);
  return faults.length > 0 ? faults : (converted as unknown as ManagedRecord);
}

/**
 * Mender writes down how an update has ended in one word, and not whether it went well: after a good one the artifact's name is that
 * of the device, since the two are written at once.
 */
function outcomeOf(name: unknown, info: Unknowns, isInstalled: boolean): Outcome {
  if (name !== 'cleanup' && name !== 'update-error') return 'noneFailed';
  if (info['AllRollbacksSuccessful'] === true) return 'rollbackAttempted';
  return name === 'cleanup' && isInstalled ? 'noneFailed' : 'rollbackFailed';
}

function standaloneOf(text: string | undefined): StandaloneRecord | undefined | readonly string[] {
  if (text === undefined) return undefined;
  const record = objectOf(JSON.parse(text));
  const version = record['Version'];
  if (version !== 1 && version !== 2)
    return [`standalone-state.Version: ${JSON.stringify(version)} is not 1 or 2`];
  const { Failed: failed, RolledBack: rolledBack } = record;
  const converted = {
    Version: 2,
    ArtifactName: record['ArtifactName'],
    ArtifactGroup: record['ArtifactGroup'] ?? '',
    // Before there were states to tell apart, there was one: installed, and not committed.
    InState: version === 1 ? 'Before_ArtifactCommit_Enter' : record['InState'],
    Failed: failed === true,
    RolledBack: rolledBack === true,
    Outcome: rolledBack === true ? 'rollbackAttempted' : failed === true ? 'failed' : 'noneFailed',
    Payloads: payloadsOf(
      listOf(record['PayloadTypes']),
      [],
      record['ArtifactTypeInfoProvides'],
      record['ArtifactClearsProvides'],
    ),
    SupportsRollback: '',
  };
  const faults = faultsOfStandaloneRecord(converted);
  return faults.length > 0 ? faults : (converted as unknown as StandaloneRecord);
}

/** Mender keeps one set of provides an artifact; ours stand at the payload that brings them. */
function payloadsOf(
  types: readonly unknown[],
  reboots: readonly unknown[],
  provides: unknown,
  clearsProvides: unknown,
): readonly Unknowns[] {
  return types.map((type, index) => ({
    // The empty payload has no type.
    PayloadType: type === '' ? null : type,
    ...(index === 0 && provides !== undefined && provides !== null ? { artifact_provides: provides } : {}),
    ...(index === 0 && Array.isArray(clearsProvides) ? { clears_artifact_provides: clearsProvides } : {}),
    // Generation 3 reboots by itself into a root file system; here the client does.
    RebootRequested:
      type === 'rootfs-image' && reboots[index] === 'reboot-type-custom'
        ? 'reboot-type-automatic'
        : (reboots[index] ?? ''),
  }));
}

function objectOf(value: unknown): Unknowns {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** Go writes an empty list as null. */
function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function withText(key: string, value: unknown): Unknowns {
  return value === undefined || value === '' ? {} : { [key]: value };
}

const isFaults = (value: unknown): value is readonly string[] => Array.isArray(value);
