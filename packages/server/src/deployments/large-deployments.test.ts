import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upload } from './test-data/test-artifact.ts';
import { startTestServer, type TestServer } from './test-data/test-server.ts';

const base = '/api/management/v1/deployments/deployments';
const nextPath = '/api/devices/v1/deployments/device/deployments/next?artifact_name=old&device_type=test';
const idsOf = (count: number) =>
  Array.from({ length: count }, (_, number) => `device-${String(number).padStart(6, '0')}`);

const poll = async (server: TestServer, device: string): Promise<number> =>
  (await server.request('GET', nextPath, { as: `device:${device}` })).status;

const report = async (server: TestServer, device: string, id: string, status: string): Promise<number> =>
  (
    await server.request('PUT', `/api/devices/v1/deployments/device/deployments/${id}/status`, {
      as: `device:${device}`,
      json: { status },
    })
  ).status;

async function toAll(server: TestServer): Promise<string> {
  const answer = await server.request('POST', base, {
    as: 'user',
    json: { name: 'large', artifact_name: 'r', all_devices: true },
  });
  assert.equal(answer.status, 201, answer.bytes.toString());
  return String(answer.headers.get('location')).split('/').at(-1) ?? '';
}

const shown = async (server: TestServer, id: string) =>
  (await server.request('GET', `${base}/${id}`, { as: 'user' })).json as {
    status: string;
    max_devices: number;
    statistics: { status: Record<string, number> };
  };

const listed = async (server: TestServer): Promise<{ max_devices: number }[]> =>
  (await server.request('GET', base, { as: 'user' })).json as { max_devices: number }[];

test('a deployment that is written in several steps is for each device exactly once, and nobody sees half of it', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const ids = idsOf(24_321);
  server.known.accepted = ids.toReversed();
  // The first list takes longest.
  await listed(server);
  const creating = toAll(server);
  const meanwhile: number[][] = [];
  let isCreated = false;
  void creating.finally(() => void (isCreated = true));
  while (!isCreated) meanwhile.push((await listed(server)).map((deployment) => deployment.max_devices));
  const id = await creating;
  assert.ok(
    meanwhile.some((seen) => seen.length === 0),
    'it was looked at while it was being written',
  );
  // Whole, it may be seen before the one who asked is told.
  assert.deepEqual(
    meanwhile.flat().filter((devices) => devices !== ids.length),
    [],
  );

  const { max_devices, statistics } = await shown(server, id);
  assert.deepEqual([max_devices, statistics.status['pending']], [24_321, 24_321]);
  const targets = await server.request('GET', `${base}/${id}/device_list`, { as: 'user' });
  assert.deepEqual((targets.json as string[]).toSorted(), ids);
  for (const device of [0, 499, 500, 12_000, 24_320].map((number) => ids[number] ?? ''))
    assert.equal(await poll(server, device), 200, device);
  assert.equal(await poll(server, 'device-024321'), 204);
});

test('one that is refused leaves nothing behind, and one that was given up is removed with the next', async () => {
  await using server = await startTestServer();
  server.known.accepted = idsOf(10_001);
  const json = { name: 'large', artifact_name: 'r', all_devices: true };
  const refused = await server.request('POST', base, { as: 'user', json });
  assert.equal(refused.status, 422);
  const rows = () => server.database.read.selectFrom('deployments').select(['id', 'status']).execute();
  assert.deepEqual(await rows(), []);

  await server.database.unitOfWork((tx) =>
    tx
      .insertInto('deployments')
      // prettier-ignore
      .values({
        tenant: '000000000000000000000001',
        id: 'given-up',
        name: '',
        artifact_name: '',
        kind: 'software',
        created: 1,
        finished: null,
        aborted: null,
        status: 'preparing',
        active: 0,
        max_devices: 0,
        device_count: 0,
        force_installation: 0,
        target: '{}',
        group_names: '[]',
        fingerprint: null,
        total_size_bytes: 0,
      })
      .execute(),
  );
  assert.deepEqual(await listed(server), []);
  await upload(server, { name: 'r' });
  const id = await toAll(server);
  assert.deepEqual(
    (await rows()).map((row) => [row.id, row.status]),
    [[id, 'pending']],
  );
});

test('an abort ends all that are at it, in several steps; cut short it holds all the same, and is finished later', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const ids = idsOf(230);
  server.known.accepted = [...ids, 'never-asks'];
  const id = await toAll(server);
  for (const device of ids) assert.equal(await poll(server, device), 200);
  assert.equal(await report(server, ids[7] ?? '', id, 'success'), 204);
  // What is left when the server is killed after the first step.
  const now = Date.now();
  await server.database.unitOfWork(async (tx) => {
    await tx
      .updateTable('deployments')
      .set({ status: 'finished', active: 0, finished: now, aborted: now })
      .execute();
    await tx
      .updateTable('deployment_statistics')
      .set({ devices: 229 })
      .where('status', '=', 'pending')
      .execute();
  });
  assert.equal(await poll(server, ids[0] ?? ''), 204);
  assert.equal(await poll(server, 'never-asks'), 204);
  assert.equal(await report(server, ids[0] ?? '', id, 'installing'), 409);
  assert.equal(await report(server, ids[7] ?? '', id, 'success'), 204);

  await server.finishAborts();
  const { status, statistics } = await shown(server, id);
  const counts = Object.fromEntries(Object.entries(statistics.status).filter(([, count]) => count > 0));
  assert.deepEqual([status, counts], ['finished', { aborted: 229, success: 1 }]);
  const again = await server.request('PUT', `${base}/${id}/status`, {
    as: 'user',
    json: { status: 'aborted' },
  });
  assert.equal(again.status, 422);
});

test('a list without pages is refused where it would hold up the polls, and says what to ask instead', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  server.known.accepted = idsOf(2);
  const id = await toAll(server);
  assert.equal(await poll(server, 'device-000000'), 200);
  const ask = (list: string) => server.request('GET', `${base}/${id}/${list}`, { as: 'user' });
  const set = (counts: { device_count: number; max_devices: number }) =>
    server.database.unitOfWork((tx) => tx.updateTable('deployments').set(counts).execute());

  await set({ device_count: 20_000, max_devices: 100_000 });
  assert.equal((await ask('devices')).status, 200);
  assert.equal((await ask('device_list')).status, 200);
  await set({ device_count: 20_001, max_devices: 100_001 });
  const devices = await ask('devices');
  assert.equal(devices.status, 400);
  assert.match(devices.bytes.toString(), /20001 devices are too many for one answer: .*devices\/list/);
  const ids = await ask('device_list');
  assert.equal(ids.status, 400);
  assert.match(ids.bytes.toString(), /100001 devices are too many/);
  assert.equal((await ask('devices/list')).status, 200);
});

test('a deployment for a list of devices shows the first thousand, and in a list of deployments the first hundred', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const ids = idsOf(1_200);
  const json = { name: 'listed', artifact_name: 'r', devices: ids };
  const { headers } = await server.request('POST', base, { as: 'user', json });
  type Shown = { filter: { terms: { value: string[] }[] } };
  const shownIds = async (path: string) => {
    const { json: found } = await server.request('GET', path, { as: 'user' });
    const [one] = [found].flat() as Shown[];
    return one?.filter.terms[0]?.value;
  };
  assert.deepEqual(await shownIds(String(headers.get('location'))), ids.slice(0, 1000));
  assert.deepEqual(await shownIds(base), ids.slice(0, 100));
});
