import { ClientError } from '../client-error.ts';
import { outcomeMoves, standaloneEntry, type InState, type Outcome } from './deployment-states.ts';
import type { RebootAnswer } from './payload-installer.ts';

/** An update in flight, as far as it must survive a power cut. Replaced, never changed. */
export interface Deployment {
  /** The server's id; empty for an update started by hand. */
  readonly id: string;
  readonly artifactName: string;
  readonly artifactGroup?: string | undefined;
  /** Device types and address as the server offered them; empty for an update started by hand. */
  readonly offeredDeviceTypes: readonly string[];
  readonly uri: string;
  /** Empty until the artifact's header has been read and found right. */
  readonly payloads: readonly Payload[];
  readonly supportsRollback?: boolean | undefined;
  readonly outcome: Outcome;
  /** Saves and loads so far; bounds loops over reboots. */
  readonly storeCount: number;
}

export interface Payload {
  /** `null` is the empty payload, which brings provides alone. */
  readonly type: string | null;
  readonly provides?: Readonly<Record<string, string>> | undefined;
  readonly clearsProvides?: readonly string[] | undefined;
  /** What the installer said when asked whether the payload needs a reboot. */
  readonly reboot?: RebootAnswer | undefined;
}

/** The rule that an artifact has exactly one payload, which is this client's alone; formats and records have room for more. */
export function onlyPayload<P>(payloads: readonly P[]): P {
  const [payload, ...others] = payloads;
  if (payload === undefined || others.length > 0) {
    throw new ClientError(
      'artifactRefused',
      `Multiple payloads are not yet supported: this artifact has ${payloads.length}, and a device installs exactly one. Make an artifact for each.`,
    );
  }
  return payload;
}

/** Record `state`: client contract 11, Version 2, with what belongs to a payload in `Payloads`, and the outcome. */
export interface ManagedRecord {
  readonly Version: 2;
  readonly Name: string;
  readonly UpdateInfo: {
    readonly ID: string;
    readonly Artifact: {
      readonly Source: { readonly URI: string };
      readonly device_types_compatible: readonly string[];
      readonly artifact_name: string;
      readonly artifact_group?: string;
      readonly Payloads: readonly PayloadRecord[];
    };
    readonly SupportsRollback: '' | 'rollback-supported' | 'rollback-not-supported';
    readonly StateDataStoreCount: number;
    readonly Outcome: Outcome;
  };
}

interface PayloadRecord {
  readonly PayloadType: string | null;
  readonly artifact_provides?: Readonly<Record<string, string>>;
  readonly clears_artifact_provides?: readonly string[];
  readonly RebootRequested: '' | 'reboot-type-none' | 'reboot-type-custom' | 'reboot-type-automatic';
}

/** Record `standalone-state`: client contract 19.1, Version 2, `Failed` and `RolledBack` told apart further by `Outcome`. */
export interface StandaloneRecord {
  readonly Version: 2;
  readonly ArtifactName: string;
  readonly ArtifactGroup: string;
  readonly InState: InState;
  readonly Failed: boolean;
  readonly RolledBack: boolean;
  readonly Outcome: Outcome;
  readonly Payloads: readonly PayloadRecord[];
  readonly SupportsRollback: ManagedRecord['UpdateInfo']['SupportsRollback'];
}

export function toManagedRecord(name: string, deployment: Deployment): ManagedRecord {
  return {
    Version: 2,
    Name: name,
    UpdateInfo: {
      ID: deployment.id,
      Artifact: {
        Source: { URI: deployment.uri },
        device_types_compatible: deployment.offeredDeviceTypes,
        artifact_name: deployment.artifactName,
        ...(deployment.artifactGroup === undefined ? {} : { artifact_group: deployment.artifactGroup }),
        Payloads: deployment.payloads.map(toPayloadRecord),
      },
      SupportsRollback: rollbackWord(deployment.supportsRollback),
      StateDataStoreCount: deployment.storeCount,
      Outcome: deployment.outcome,
    },
  };
}

export function toStandaloneRecord(inState: InState, deployment: Deployment): StandaloneRecord {
  return {
    Version: 2,
    ArtifactName: deployment.artifactName,
    ArtifactGroup: deployment.artifactGroup ?? '',
    InState: inState,
    Failed: deployment.outcome !== 'noneFailed',
    RolledBack: deployment.outcome === 'rollbackAttempted',
    Outcome: deployment.outcome,
    Payloads: deployment.payloads.map(toPayloadRecord),
    SupportsRollback: rollbackWord(deployment.supportsRollback),
  };
}

export function fromManagedRecord({ UpdateInfo: info }: ManagedRecord): Deployment {
  return {
    id: info.ID,
    artifactName: info.Artifact.artifact_name,
    artifactGroup: info.Artifact.artifact_group,
    offeredDeviceTypes: info.Artifact.device_types_compatible,
    uri: info.Artifact.Source.URI,
    payloads: info.Artifact.Payloads.map(fromPayloadRecord),
    supportsRollback: rollbackOfWord[info.SupportsRollback],
    outcome: info.Outcome,
    storeCount: info.StateDataStoreCount,
  };
}

export function fromStandaloneRecord(record: StandaloneRecord): Deployment {
  return {
    id: '',
    artifactName: record.ArtifactName,
    artifactGroup: record.ArtifactGroup === '' ? undefined : record.ArtifactGroup,
    offeredDeviceTypes: [],
    uri: '',
    payloads: record.Payloads.map(fromPayloadRecord),
    supportsRollback: rollbackOfWord[record.SupportsRollback],
    outcome: record.Outcome,
    storeCount: 0,
  };
}

/** Everything that is wrong with a `state` record; empty when it is one. Its `Name` may be any (the resume table decides). */
export function faultsOfManagedRecord(record: unknown): readonly string[] {
  if (!isObject(record)) return ['state: not an object'];
  const info = isObject(record['UpdateInfo']) ? record['UpdateInfo'] : {};
  const artifact = isObject(info['Artifact']) ? info['Artifact'] : {};
  const source = isObject(artifact['Source']) ? artifact['Source'] : {};
  return [
    record['Version'] === 2 ? [] : ['state.Version: not 2'],
    isString(record['Name']) ? [] : ['state.Name: not text'],
    isString(info['ID']) ? [] : ['state.UpdateInfo.ID: not text'],
    isString(source['URI']) ? [] : ['state.UpdateInfo.Artifact.Source.URI: not text'],
    isTextList(artifact['device_types_compatible']) ? [] : ['device_types_compatible: not a list of text'],
    isString(artifact['artifact_name']) ? [] : ['artifact_name: not text'],
    optional(isString)(artifact['artifact_group']) ? [] : ['artifact_group: not text'],
    faultsOfPayloads(artifact['Payloads']),
    isRollbackWord(info['SupportsRollback']) ? [] : ['SupportsRollback: not one of its words'],
    Number.isSafeInteger(info['StateDataStoreCount']) ? [] : ['StateDataStoreCount: not a whole number'],
    isOutcome(info['Outcome']) ? [] : ['Outcome: not one of its words'],
  ].flat();
}

/** Everything that is wrong with a `standalone-state` record. */
export function faultsOfStandaloneRecord(record: unknown): readonly string[] {
  if (!isObject(record)) return ['standalone-state: not an object'];
  return [
    record['Version'] === 2 ? [] : ['standalone-state.Version: not 2'],
    isString(record['ArtifactName']) ? [] : ['standalone-state.ArtifactName: not text'],
    isString(record['ArtifactGroup']) ? [] : ['standalone-state.ArtifactGroup: not text'],
    isString(record['InState']) && Object.hasOwn(standaloneEntry, record['InState'])
      ? []
      : ['standalone-state.InState: not one of its words'],
    isOutcome(record['Outcome']) ? [] : ['standalone-state.Outcome: not one of its words'],
    faultsOfPayloads(record['Payloads']),
    isRollbackWord(record['SupportsRollback']) ? [] : ['SupportsRollback: not one of its words'],
  ].flat();
}

// prettier-ignore
const rebootWords = {
  No:        'reboot-type-none',
  Yes:       'reboot-type-custom',
  Automatic: 'reboot-type-automatic',
} as const satisfies Record<RebootAnswer, string>;

// prettier-ignore
const rebootOfWord = {
  '':                      undefined,
  'reboot-type-none':      'No',
  'reboot-type-custom':    'Yes',
  'reboot-type-automatic': 'Automatic',
} as const satisfies Record<PayloadRecord['RebootRequested'], RebootAnswer | undefined>;

// prettier-ignore
const rollbackOfWord = {
  '':                       undefined,
  'rollback-supported':     true,
  'rollback-not-supported': false,
} as const;

function rollbackWord(supported: boolean | undefined): keyof typeof rollbackOfWord {
  if (supported === undefined) return '';
  return supported ? 'rollback-supported' : 'rollback-not-supported';
}

function toPayloadRecord(payload: Payload): PayloadRecord {
  return {
    PayloadType: payload.type,
    ...(payload.provides === undefined ? {} : { artifact_provides: payload.provides }),
    ...(payload.clearsProvides === undefined ? {} : { clears_artifact_provides: payload.clearsProvides }),
    RebootRequested: payload.reboot === undefined ? '' : rebootWords[payload.reboot],
  };
}

function fromPayloadRecord(record: PayloadRecord): Payload {
  return {
    type: record.PayloadType,
    provides: record.artifact_provides,
    clearsProvides: record.clears_artifact_provides,
    reboot: rebootOfWord[record.RebootRequested],
  };
}

function faultsOfPayloads(payloads: unknown): readonly string[] {
  if (!Array.isArray(payloads)) return ['Payloads: not a list'];
  return payloads.flatMap((payload: unknown, index) => {
    const of = isObject(payload) ? payload : {};
    return [
      of['PayloadType'] === null || isString(of['PayloadType'])
        ? []
        : [`Payloads[${index}].PayloadType: not text`],
      optional(isTextRecord)(of['artifact_provides'])
        ? []
        : [`Payloads[${index}].artifact_provides: not texts`],
      optional(isTextList)(of['clears_artifact_provides'])
        ? []
        : [`Payloads[${index}].clears_artifact_provides: not a list of text`],
      isString(of['RebootRequested']) && Object.hasOwn(rebootOfWord, of['RebootRequested'])
        ? []
        : [`Payloads[${index}].RebootRequested: not one of its words`],
    ].flat();
  });
}

type Unknowns = Readonly<Record<string, unknown>>;
const isObject = (x: unknown): x is Unknowns => typeof x === 'object' && x !== null && !Array.isArray(x);
const isString = (x: unknown): x is string => typeof x === 'string';
const isTextList = (x: unknown): boolean => Array.isArray(x) && x.every(isString);
const isTextRecord = (x: unknown): boolean => isObject(x) && Object.values(x).every(isString);
const isOutcome = (x: unknown): boolean => isString(x) && Object.hasOwn(outcomeMoves, x);
const isRollbackWord = (x: unknown): boolean => isString(x) && Object.hasOwn(rollbackOfWord, x);
const optional = (is: (x: unknown) => boolean) => (x: unknown) => x === undefined || is(x);
