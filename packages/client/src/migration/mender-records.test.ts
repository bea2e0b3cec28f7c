import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ManagedRecord } from '../deployment/saved-deployment.ts';
import { menderRecords } from './mender-records.ts';

const store = (entries: Readonly<Record<string, unknown>>): ReadonlyMap<string, Uint8Array> =>
  new Map(
    Object.entries(entries).map(([key, value]) => [
      key,
      Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    ]),
  );

/** As generation 4 writes it; what differs is given. */
const state = (name: string, info: object = {}, artifact: object = {}) => ({
  Version: 2,
  Name: name,
  UpdateInfo: {
    Artifact: {
      Source: { URI: 'https://server/artifact', Expire: '2026-01-01T00:00:00Z' },
      device_types_compatible: ['board'],
      PayloadTypes: ['rootfs-image'],
      artifact_name: 'release-2',
      artifact_group: '',
      artifact_provides: { 'rootfs-image.version': '2' },
      clears_artifact_provides: ['rootfs-image.*'],
      ...artifact,
    },
    ID: 'deployment-1',
    RebootRequested: ['reboot-type-automatic'],
    SupportsRollback: 'rollback-supported',
    StateDataStoreCount: 9,
    HasDBSchemaUpdate: false,
    AllRollbacksSuccessful: false,
    ...info,
  },
});

const ours: ManagedRecord = {
  Version: 2,
  Name: 'reboot',
  UpdateInfo: {
    ID: 'deployment-1',
    Artifact: {
      Source: { URI: 'https://server/artifact' },
      device_types_compatible: ['board'],
      artifact_name: 'release-2',
      Payloads: [
        {
          PayloadType: 'rootfs-image',
          artifact_provides: { 'rootfs-image.version': '2' },
          clears_artifact_provides: ['rootfs-image.*'],
          RebootRequested: 'reboot-type-automatic',
        },
      ],
    },
    SupportsRollback: 'rollback-supported',
    StateDataStoreCount: 9,
    Outcome: 'noneFailed',
  },
};

describe('what Mender knew of the device', () => {
  test('is its name, group and provides', () => {
    const entries = store({
      'artifact-name': 'release-1',
      'artifact-group': 'stable',
      'artifact-provides': { 'rootfs-image.version': '1', artifact_name: 'release-1' },
      authtoken: 'secret',
    });
    assert.deepEqual(menderRecords(entries), {
      records: {
        'artifact-name': 'release-1',
        'artifact-group': 'stable',
        'artifact-provides': { 'rootfs-image.version': '1' },
      },
      faults: [],
    });
  });

  for (const provides of ['', '{}']) {
    test(`may be no provides at all (${JSON.stringify(provides)})`, () => {
      const taken = menderRecords(store({ 'artifact-name': 'release-1', 'artifact-provides': provides }));
      assert.deepEqual(taken, {
        records: { 'artifact-name': 'release-1', 'artifact-provides': {} },
        faults: [],
      });
    });
  }

  for (const [name, entries] of Object.entries({
    'an empty database': {},
    'a token and a name of no length': { authtoken: 'x', 'artifact-name': '' },
  })) {
    test(`is nothing in ${name}`, () => assert.equal(menderRecords(store(entries)), undefined));
  }
});

describe("Mender's deployment in progress", () => {
  const managed = (entries: Readonly<Record<string, unknown>>) => {
    const taken = menderRecords(store(entries));
    assert.deepEqual(taken?.faults, []);
    return taken.records.state;
  };

  test('of generation 4 and 5 goes on as ours', () => {
    assert.deepEqual(managed({ state: state('reboot') }), ours);
  });

  test('of generation 3, whose empty lists are null, goes on as ours', () => {
    const record = managed({
      state: state(
        'update-store',
        { RebootRequested: null, SupportsRollback: '', AllRollbacksSuccessful: undefined },
        { PayloadTypes: null, artifact_provides: undefined, clears_artifact_provides: undefined },
      ),
    });
    assert.deepEqual(record?.UpdateInfo.Artifact.Payloads, []);
    assert.equal(record.UpdateInfo.SupportsRollback, '');
  });

  test('of generation 1 is a root file system with a reboot and a rollback', () => {
    const { Artifact, ID } = state('reboot').UpdateInfo;
    const record = managed({
      state: {
        Version: 1,
        Name: 'reboot',
        UpdateInfo: {
          ID,
          Artifact: { Source: Artifact.Source, CompatibleDevices: ['board'], artifact_name: 'release-2' },
        },
      },
    });
    assert.deepEqual(record, {
      ...ours,
      UpdateInfo: {
        ...ours.UpdateInfo,
        Artifact: {
          ...ours.UpdateInfo.Artifact,
          Payloads: [{ PayloadType: 'rootfs-image', RebootRequested: 'reboot-type-automatic' }],
        },
        StateDataStoreCount: 0,
      },
    });
  });

  test('beside a record of a version nobody knows is the one that is not committed', () => {
    const entries = { state: { Version: 7 }, 'state-uncommitted': state('reboot') };
    assert.deepEqual(managed(entries), ours);
  });

  // prettier-ignore
  const ends = [
    { name: 'cleanup',      rolledBack: false, device: 'release-2',              outcome: 'noneFailed' },
    { name: 'cleanup',      rolledBack: false, device: 'release-2_INCONSISTENT', outcome: 'rollbackFailed' },
    { name: 'cleanup',      rolledBack: true,  device: 'release-1',              outcome: 'rollbackAttempted' },
    { name: 'update-error', rolledBack: false, device: 'release-1',              outcome: 'rollbackFailed' },
    { name: 'update-error', rolledBack: true,  device: 'release-1',              outcome: 'rollbackAttempted' },
  ] as const;
  for (const { name, rolledBack, device, outcome } of ends) {
    test(`in ${name}, ${rolledBack ? 'rolled back' : 'not rolled back'}, on ${device}: ${outcome}`, () => {
      const record = managed({
        'artifact-name': device,
        state: state(name, { AllRollbacksSuccessful: rolledBack }),
      });
      assert.equal(record?.UpdateInfo.Outcome, outcome);
    });
  }

  // prettier-ignore
  const broken: Readonly<Record<string, [unknown, RegExp]>> = {
    'is cut off':           ['{"Version":2,"Na', /^state: .*JSON/],
    'is no object':         ['[]', /state\.Version/],
    'is of a version nobody knows': [{ Version: 3 }, /state\.Version: 3 is not 1 or 2/],
    'has no id':            [state('reboot', { ID: 7 }), /ID: not text/],
    'has an unknown word':  [state('reboot', { RebootRequested: ['sometimes'] }), /RebootRequested/],
    'provides no texts':    [state('reboot', {}, { artifact_provides: { a: 1 } }), /artifact_provides/],
  };
  for (const [name, [value, says]] of Object.entries(broken)) {
    test(`that ${name} is left out, and the rest is taken over`, () => {
      const taken = menderRecords(store({ 'artifact-name': 'release-1', state: value }));
      assert.deepEqual(taken?.records, { 'artifact-name': 'release-1', 'artifact-provides': {} });
      assert.match(taken.faults.join(), says);
    });
  }
});

describe("Mender's update by hand", () => {
  const standalone = (record: object) => {
    const taken = menderRecords(store({ 'standalone-state': record }));
    assert.deepEqual(taken?.faults, []);
    return taken.records['standalone-state'];
  };
  const generation3 = {
    Version: 1,
    ArtifactName: 'u1',
    ArtifactGroup: '',
    ArtifactTypeInfoProvides: { a: '1' },
    ArtifactClearsProvides: ['a.*'],
    PayloadTypes: ['single-file'],
  };
  const expected = {
    Version: 2,
    ArtifactName: 'u1',
    ArtifactGroup: '',
    InState: 'Before_ArtifactCommit_Enter',
    Failed: false,
    RolledBack: false,
    Outcome: 'noneFailed',
    Payloads: [
      {
        PayloadType: 'single-file',
        artifact_provides: { a: '1' },
        clears_artifact_provides: ['a.*'],
        RebootRequested: '',
      },
    ],
    SupportsRollback: '',
  };

  test('of generation 3 waits for its commit', () => {
    assert.deepEqual(standalone(generation3), expected);
  });
  test('of generation 4 and 5 stands where it stood', () => {
    const record = {
      ...generation3,
      Version: 2,
      InState: 'ArtifactFailure_Enter',
      Failed: true,
      RolledBack: true,
    };
    assert.deepEqual(standalone(record), {
      ...expected,
      InState: 'ArtifactFailure_Enter',
      Failed: true,
      RolledBack: true,
      Outcome: 'rollbackAttempted',
    });
  });
  test('in a state nobody knows is left out', () => {
    const taken = menderRecords(
      store({ 'standalone-state': { ...generation3, Version: 2, InState: 'Elsewhere' } }),
    );
    assert.match(taken?.faults.join() ?? '', /InState/);
  });
});
