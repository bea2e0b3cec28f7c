import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPlaces, singlePhase } from './deployment-phases.ts';
import { deploymentStatus, statistics } from './deployment-status.ts';
import { chunkHolds, idsOfChunk, idsPerChunk, sortedIds, targetChunks } from './deployment-target.ts';
import { allStatuses, statusesNamed } from './device-deployment-statuses.ts';
import { flatRequest, nestedRequest, sameRequest } from './update-request.ts';

test('every device of a deployment is in exactly one chunk, and found in it by its whole id alone', () => {
  const ids = Array.from({ length: idsPerChunk * 2 + 1 }, (_, number) => `device-${number}`);
  const chunks = targetChunks(sortedIds([...ids, ...ids]));
  assert.equal(chunks.length, 3);
  assert.deepEqual(
    chunks.flatMap(({ deviceIds }) => idsOfChunk(deviceIds)),
    ids.toSorted(),
  );
  for (const id of ids) {
    const inRange = chunks.filter(
      ({ firstDeviceId, lastDeviceId }) => firstDeviceId <= id && id <= lastDeviceId,
    );
    assert.equal(inRange.filter(({ deviceIds }) => chunkHolds(deviceIds, id)).length, 1, id);
  }
  assert.equal(
    chunks.some(({ deviceIds }) => chunkHolds(deviceIds, 'device-') || chunkHolds(deviceIds, 'evice-1')),
    false,
  );
  assert.deepEqual(targetChunks([]), []);
  const [odd] = targetChunks(sortedIds(['\u{1F600}', '\uFF21', 'a']));
  assert.deepEqual(idsOfChunk(odd?.deviceIds ?? ''), ['a', '\uFF21', '\u{1F600}'], 'as UTF-8 is compared');
});

test('a deployment is finished when as many devices have ended as it is for, and in progress once one has moved', () => {
  const rows = [
    [{ pending: 2 }, 2, 'pending'],
    [{ pending: 1, downloading: 1 }, 2, 'inprogress'],
    [{ pending: 1, pause_before_rebooting: 1 }, 2, 'inprogress'],
    [{ pending: 1, success: 1 }, 2, 'inprogress'],
    [{ pending: 1, decommissioned: 1 }, 2, 'pending'],
    [{ failure: 1, success: 1 }, 2, 'finished'],
    [{ noartifact: 1, 'already-installed': 1, aborted: 1, decommissioned: 1 }, 4, 'finished'],
    [{ installing: 1, success: 1 }, 2, 'inprogress'],
  ] as const;
  for (const [counts, maxDevices, expected] of rows) {
    assert.equal(deploymentStatus(statistics(counts), maxDevices), expected, JSON.stringify(counts));
  }
  assert.equal(deploymentStatus(statistics({ pending: 1 }), 1, false), 'scheduled');
  assert.deepEqual(Object.keys(statistics()), allStatuses);
});

test('devices are asked for by status, or by one of the three sets of them', () => {
  assert.deepEqual(statusesNamed('success'), ['success']);
  assert.equal(statusesNamed('pause')?.length, 3);
  assert.equal(
    (statusesNamed('active')?.length ?? 0) + (statusesNamed('finished')?.length ?? 0),
    allStatuses.length,
  );
  assert.equal(statusesNamed('constructor'), undefined);
  assert.equal(statusesNamed('nonsense'), undefined);
});

test('a batch of devices is served once its phase has begun, the last phase serves the rest', () => {
  assert.equal(openPlaces(singlePhase(100), 7, 100), 7);
  const phases = [
    { batchSize: 10, starts: 100 },
    { batchSize: 50, starts: 200 },
    { batchSize: null, starts: 300 },
  ];
  assert.deepEqual(
    [99, 100, 200, 300].map((now) => openPlaces(phases, 25, now)),
    [0, 2, 14, 25],
  );
});

test('a device asks the same as before whichever way it asks, until it says something else', () => {
  const v2 = nestedRequest({ device_type: 't', artifact_name: 'n', 'rootfs-image.checksum': '1', b: '2' });
  const v2Reordered = nestedRequest({
    b: '2',
    artifact_name: 'n',
    'rootfs-image.checksum': '1',
    device_type: 't',
  });
  const v1Post = flatRequest({ device_type: 't', artifact_name: 'n', 'rootfs-image.checksum': '1', b: '2' });
  const v1Map = flatRequest({
    device_type: 't',
    artifact_name: 'n',
    artifact_provides: { 'rootfs-image.checksum': '1', b: '2' },
  });
  const v1Get = { deviceType: 't', artifactName: 'n', provides: null };
  for (const other of [v2Reordered, v1Post, v1Map, v1Get]) assert.ok(sameRequest(v2, other));
  assert.equal(sameRequest(v2, nestedRequest({ device_type: 't', artifact_name: 'n', b: '3' })), false);
  assert.equal(sameRequest(v1Get, { ...v1Get, artifactName: 'm' }), false);
});
