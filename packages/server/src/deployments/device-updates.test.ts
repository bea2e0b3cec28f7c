import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upload } from './test-data/test-artifact.ts';
import { startTestServer, type TestServer } from './test-data/test-server.ts';

const base = '/api/management/v1/deployments/deployments';
const v1 = '/api/devices/v1/deployments/device/deployments';
const v2 = '/api/devices/v2/deployments/device/deployments/next';

const errorOf = (answer: { json: unknown }): string => String((answer.json as { error?: unknown }).error);

async function deploy(server: TestServer, wanted: Record<string, unknown>): Promise<string> {
  const answer = await server.request('POST', base, { as: 'user', json: { name: 'n', ...wanted } });
  assert.equal(answer.status, 201, answer.bytes.toString());
  return answer.headers.get('location')?.split('/').at(-1) ?? '';
}

const deployment = async (server: TestServer, id: string) =>
  (await server.request('GET', `${base}/${id}`, { as: 'user' })).json as {
    status: string;
    device_count: number;
    artifacts: string[];
    statistics: { status: Record<string, number>; total_size: number };
  };

const counters = async (server: TestServer, id: string) =>
  Object.fromEntries(
    Object.entries((await deployment(server, id)).statistics.status).filter(([, devices]) => devices > 0),
  );

interface Offer {
  readonly id: string;
  readonly artifact: {
    readonly id: string;
    readonly artifact_name: string;
    readonly source: { readonly uri: string; readonly expire: string; readonly method: string };
    readonly device_types_compatible: readonly string[];
  };
}

const asDevice = (server: TestServer, device: string) => {
  const as = `device:${device}`;
  return {
    get: (artifactName: string, deviceType = 'test') =>
      server.request('GET', `${v1}/next?artifact_name=${artifactName}&device_type=${deviceType}`, { as }),
    postV1: (json: unknown) => server.request('POST', `${v1}/next`, { as, json }),
    postV2: (provides: Record<string, unknown>) =>
      server.request('POST', v2, { as, json: { device_provides: provides } }),
    status: (id: string, status: string, substate?: string) =>
      server.request('PUT', `${v1}/${id}/status`, {
        as,
        json: { status, ...(substate === undefined ? {} : { substate }) },
      }),
    log: (id: string, json: unknown) => server.request('PUT', `${v1}/${id}/log`, { as, json }),
  };
};

test('an update goes its way: offered, reported step by step, counted, and not offered again', async () => {
  await using server = await startTestServer();
  const artifact = await upload(server, { name: 'new', deviceTypes: ['test', 'other'] });
  const id = await deploy(server, { artifact_name: 'new', devices: ['d'] });
  const device = asDevice(server, 'd');

  const asked = await device.get('old');
  assert.equal(asked.status, 200);
  const offer = asked.json as Offer;
  assert.deepEqual(
    { ...offer, artifact: { ...offer.artifact, source: null } },
    {
      id,
      artifact: {
        id: artifact,
        artifact_name: 'new',
        source: null,
        device_types_compatible: ['test', 'other'],
      },
    },
  );
  assert.equal(offer.artifact.source.method, 'GET');
  const validMs = Date.parse(offer.artifact.source.expire) - Date.now();
  assert.ok(Math.abs(validMs - 24 * 3600_000) < 60_000, offer.artifact.source.expire);
  const download = await server.request('GET', offer.artifact.source.uri);
  assert.equal(download.status, 200);

  // prettier-ignore
  const steps = [
    ['downloading', 'inprogress'], ['installing', 'inprogress'], ['rebooting', 'inprogress'],
    ['installing',  'inprogress'], ['success',    'finished'],
  ] as const;
  assert.deepEqual(await counters(server, id), { pending: 1 });
  assert.equal((await deployment(server, id)).device_count, 1);
  assert.equal((await deployment(server, id)).statistics.total_size, download.bytes.length);
  for (const [status, ofAll] of steps) {
    const again = await device.get('old');
    assert.equal((again.json as Offer).id, id, 'while it is active it is offered again');
    for (let times = 0; times < 2; times += 1) assert.equal((await device.status(id, status)).status, 204);
    assert.deepEqual(await counters(server, id), { [status]: 1 });
    assert.equal((await deployment(server, id)).status, ofAll);
  }
  assert.equal((await device.get('new')).status, 204);
  assert.equal((await deployment(server, id)).statistics.total_size, download.bytes.length);
});

test('a device is told of what it is at, also when that is older than what it has ended', async () => {
  await using server = await startTestServer();
  const device = asDevice(server, 'd');
  const ids: string[] = [];
  for (const name of ['first', 'second']) {
    await upload(server, { name });
    const id = await deploy(server, { artifact_name: name, devices: ['d'] });
    assert.equal(((await device.get('old')).json as Offer).id, id);
    await device.status(id, 'success');
    ids.push(id);
  }
  assert.equal((await device.get('old')).status, 204);
  const [first = ''] = ids;
  // No order is enforced: what was ended can begin again.
  await device.status(first, 'installing');
  assert.equal(((await device.get('old')).json as Offer | undefined)?.id, first);
  await device.status(first, 'failure');
  assert.equal((await device.get('old')).status, 204);
});

test('a device that has nothing to do gets 204 and leaves no trace', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new' });
  await deploy(server, { artifact_name: 'new', devices: ['other'] });
  assert.equal((await asDevice(server, 'd').get('old')).status, 204);
  const traces = await server.database.read.selectFrom('device_deployments').selectAll().execute();
  assert.deepEqual(traces, []);
});

test('a request that says too little is refused', async () => {
  await using server = await startTestServer();
  const device = asDevice(server, 'd');
  assert.equal((await device.get('')).status, 400);
  assert.equal((await device.get('a', '')).status, 400);
  assert.equal((await device.get('x'.repeat(4097))).status, 400);
  assert.equal((await device.postV1({ artifact_name: 'a' })).status, 400);
  assert.equal((await device.postV1([])).status, 400);
  assert.equal((await device.postV2({ device_type: 'test' })).status, 400);
  assert.equal((await device.postV2({ device_type: 'test', artifact_name: 'a', odd: 7 })).status, 400);
  assert.equal((await server.request('GET', `${v1}/next?artifact_name=a&device_type=b`)).status, 401);
  assert.equal(
    (await server.request('GET', `${v1}/next?artifact_name=a&device_type=b`, { as: 'user' })).status,
    401,
  );
});

test('where version 2 is switched off it is 404 to a device, so that it falls back to version 1', async () => {
  await using server = await startTestServer({ answerNextV2: false });
  await upload(server, { name: 'new' });
  await deploy(server, { artifact_name: 'new', devices: ['d'] });
  const device = asDevice(server, 'd');
  const answer = await device.postV2({ device_type: 'test', artifact_name: 'old' });
  assert.equal(answer.status, 404);
  assert.equal((await server.request('POST', v2, { json: { device_provides: {} } })).status, 401);
  assert.equal((await device.get('old')).status, 200);
});

test('the delta goes to the device that says what it starts from, in whichever version it says so, else the full image', async () => {
  await using server = await startTestServer();
  const full = await upload(server, { name: 'new', content: Buffer.alloc(5000, 1) });
  const delta = await upload(server, { name: 'new', depends: { 'rootfs-image.checksum': ['abc'] } });
  await deploy(server, { artifact_name: 'new', devices: ['a', 'b', 'c', 'd', 'e'] });
  const offered = async (answer: Promise<{ json: unknown }>) => ((await answer).json as Offer).artifact.id;
  const known = { device_type: 'test', artifact_name: 'old' };
  assert.equal(
    await offered(asDevice(server, 'a').postV2({ ...known, 'rootfs-image.checksum': 'abc' })),
    delta,
  );
  assert.equal(
    await offered(asDevice(server, 'b').postV2({ ...known, 'rootfs-image.checksum': 'other' })),
    full,
  );
  assert.equal(
    await offered(asDevice(server, 'c').postV1({ ...known, 'rootfs-image.checksum': 'abc' })),
    delta,
  );
  assert.equal(
    await offered(
      asDevice(server, 'd').postV1({ ...known, artifact_provides: { 'rootfs-image.checksum': 'abc' } }),
    ),
    delta,
  );
  assert.equal(await offered(asDevice(server, 'e').get('old')), full);
});

test('a device for which there is no artifact ends with noartifact, one that has it with already-installed', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new' });
  const id = await deploy(server, { artifact_name: 'new', devices: ['a', 'b', 'c'] });
  assert.equal((await asDevice(server, 'a').get('old', 'another-type')).status, 204);
  assert.equal((await asDevice(server, 'b').get('new')).status, 204);
  assert.deepEqual(await counters(server, id), { pending: 1, noartifact: 1, 'already-installed': 1 });
  assert.equal((await asDevice(server, 'a').get('old')).status, 204);
  assert.equal((await asDevice(server, 'c').get('old')).status, 200);
  assert.equal((await deployment(server, id)).status, 'inprogress');

  const forced = await deploy(server, {
    name: 'forced',
    artifact_name: 'new',
    devices: ['b'],
    force_installation: true,
  });
  assert.equal(((await asDevice(server, 'b').get('new')).json as Offer).id, forced);
});

test('deployments come one after another, oldest first, and never one older than the last that ended', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r1' });
  await upload(server, { name: 'r2' });
  const first = await deploy(server, { name: '1', artifact_name: 'r1', devices: ['d'] });
  const second = await deploy(server, { name: '2', artifact_name: 'r2', devices: ['d'] });
  const device = asDevice(server, 'd');
  assert.equal(((await device.get('old')).json as Offer).id, first);
  await device.status(first, 'failure');
  assert.equal(((await device.get('old')).json as Offer).id, second);
  await device.status(second, 'success');
  assert.equal((await device.get('r2')).status, 204);
  const third = await deploy(server, { name: '3', artifact_name: 'r1', devices: ['d'] });
  assert.equal(((await device.get('r2')).json as Offer).id, third);
});

test('a device that contradicts what it said before fails with 409', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new' });
  const id = await deploy(server, { artifact_name: 'new', devices: ['d'] });
  const device = asDevice(server, 'd');
  await device.get('old');
  await device.status(id, 'downloading');
  const other = await device.get('quite-another');
  assert.equal(other.status, 409);
  assert.equal(errorOf(other), 'Device provided conflicting request data');
  assert.deepEqual(await counters(server, id), { failure: 1 });
  assert.equal((await device.get('old')).status, 204);
});

test('an artifact that joins the release later is served by the deployment that is running', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new', deviceTypes: ['other'] });
  const id = await deploy(server, { artifact_name: 'new', devices: ['d'] });
  const added = await upload(server, { name: 'new', deviceTypes: ['test'] });
  assert.equal((await deployment(server, id)).artifacts.length, 2);
  assert.equal(((await asDevice(server, 'd').get('old')).json as Offer).artifact.id, added);
});

test('what a device may report is a short list, and only on a deployment that is its own', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new' });
  const id = await deploy(server, { artifact_name: 'new', devices: ['d', 'e'] });
  const device = asDevice(server, 'd');
  assert.equal((await device.status(id, 'downloading')).status, 404, 'it has not asked yet');
  await device.get('old');
  for (const status of ['pending', 'aborted', 'noartifact', 'decommissioned', 'nonsense', '']) {
    assert.equal((await device.status(id, status)).status, 400, status);
  }
  assert.equal((await device.status(id, 'installing', 'x'.repeat(201))).status, 400);
  assert.equal((await device.status('0c13a0e6-6b63-475d-8260-ee42a590e8ff', 'installing')).status, 404);
  assert.equal((await device.status('nonsense', 'installing')).status, 404);
  assert.equal((await asDevice(server, 'e').status(id, 'installing')).status, 404);
  assert.deepEqual(await counters(server, id), { pending: 2 });
  for (const status of [
    'pause_before_installing',
    'pause_before_committing',
    'pause_before_rebooting',
    'already-installed',
  ]) {
    assert.equal((await device.status(id, status)).status, 204, status);
  }
});

test('no order of reports is enforced: a late failure replaces a success, and the counters follow', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new' });
  const id = await deploy(server, { artifact_name: 'new', devices: ['d'] });
  const device = asDevice(server, 'd');
  await device.get('old');
  await device.status(id, 'success');
  assert.equal((await device.status(id, 'failure')).status, 204);
  assert.deepEqual(await counters(server, id), { failure: 1 });
  assert.equal((await deployment(server, id)).status, 'finished');
});

test('the log of a failure is kept after all has ended, replaced by a later one, and shown line by line', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new' });
  const id = await deploy(server, { artifact_name: 'new', devices: ['d'] });
  const device = asDevice(server, 'd');
  const messages = (message: string) => [
    { timestamp: '2026-11-21T03:27:48.120500000Z', level: 'ERROR', message, extra: 'ignored' },
    { timestamp: '2026-11-21T05:27:49+02:00', level: 'info', message: 'über' },
  ];
  const shown = () => server.request('GET', `${base}/${id}/devices/d/log`, { as: 'user' });
  assert.equal((await device.log(id, { messages: messages('x') })).status, 404);
  assert.equal((await shown()).status, 404);
  await device.get('old');
  await device.status(id, 'failure');
  assert.equal((await device.log(id, { messages: messages('one') })).status, 204);
  assert.equal((await device.log(id, { messages: messages('two') })).status, 204);
  assert.equal((await device.status(id, 'failure')).status, 204);
  const log = await shown();
  assert.match(log.headers.get('content-type') ?? '', /^text\/plain/);
  assert.equal(
    log.bytes.toString(),
    '2026-11-21 03:27:48.1205 +0000 UTC ERROR: two\n2026-11-21 03:27:49 +0000 UTC info: über\n',
  );
  const devices = (await server.request('GET', `${base}/${id}/devices`, { as: 'user' })).json as {
    log: boolean;
  }[];
  assert.equal(devices[0]?.log, true);

  for (const bad of [
    { messages: [] },
    {},
    { messages: [{ level: 'info', message: 'm' }] },
    { messages: 'text' },
  ]) {
    assert.equal((await device.log(id, bad)).status, 400, JSON.stringify(bad));
  }
  const broken = await server.request('PUT', `${v1}/${id}/log`, {
    as: 'device:d',
    body: '{"messages":[{"timestamp":"2026',
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(broken.status, 400);
  const large = {
    messages: [{ timestamp: '2026-11-21T03:27:48Z', level: 'info', message: 'x'.repeat(1024 ** 2) }],
  };
  assert.equal((await device.log(id, large)).status, 413);
});

test('many devices report at once, and every one is counted', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'new' });
  const ids = Array.from({ length: 60 }, (_, number) => `d${number}`);
  const id = await deploy(server, { artifact_name: 'new', devices: ids });
  await Promise.all(
    ids.map(async (name, number) => {
      const device = asDevice(server, name);
      assert.equal((await device.get('old')).status, 200);
      await Promise.all([device.status(id, 'downloading'), device.status(id, 'downloading')]);
      await device.status(id, 'installing');
      await device.status(id, number % 3 === 0 ? 'failure' : 'success');
    }),
  );
  assert.deepEqual(await counters(server, id), { failure: 20, success: 40 });
  assert.equal((await deployment(server, id)).status, 'finished');
  assert.equal((await deployment(server, id)).device_count, 60);
});
