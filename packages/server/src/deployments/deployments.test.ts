import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upload } from './test-data/test-artifact.ts';
import { startTestServer, type TestServer } from './test-data/test-server.ts';

const base = '/api/management/v1/deployments/deployments';
const v2 = '/api/management/v2/deployments/deployments';
const unknownId = '0c13a0e6-6b63-475d-8260-ee42a590e8ff';

const errorOf = (answer: { json: unknown }): string => String((answer.json as { error?: unknown }).error);

async function deploy(server: TestServer, wanted: Record<string, unknown>, group?: string): Promise<string> {
  const answer = await server.request('POST', group === undefined ? base : `${base}/group/${group}`, {
    as: 'user',
    json: { name: 'n', artifact_name: 'r', ...wanted },
  });
  assert.equal(answer.status, 201, answer.bytes.toString());
  assert.equal(answer.bytes.length, 0);
  const location = answer.headers.get('location') ?? '';
  assert.ok(location.startsWith(`${base}/`), location);
  return location.slice(base.length + 1);
}

const shown = async (server: TestServer, id: string) =>
  (await server.request('GET', `${base}/${id}`, { as: 'user' })).json as Record<string, unknown> & {
    statistics: { status: Record<string, number>; total_size: number };
  };

const poll = (server: TestServer, device: string, artifactName = 'old') =>
  server.request(
    'GET',
    `/api/devices/v1/deployments/device/deployments/next?artifact_name=${artifactName}&device_type=test`,
    { as: `device:${device}` },
  );

const report = (server: TestServer, device: string, id: string, status: string, substate?: string) =>
  server.request('PUT', `/api/devices/v1/deployments/device/deployments/${id}/status`, {
    as: `device:${device}`,
    json: { status, ...(substate === undefined ? {} : { substate }) },
  });

test('a new deployment is pending for all its devices, and shows what was asked for', async () => {
  await using server = await startTestServer();
  const artifact = await upload(server, { name: 'r' });
  server.known.groups = { a: 'field' };
  const id = await deploy(server, {
    devices: ['a'],
    force_installation: true,
    phases: [{ batch_size: 10 }],
    retries: 3,
  });
  const { created, ...rest } = await shown(server, id);
  assert.match(String(created), /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(rest, {
    id,
    name: 'n',
    artifact_name: 'r',
    status: 'pending',
    device_count: 0,
    max_devices: 1,
    artifacts: [artifact],
    statistics: {
      status: {
        failure: 0,
        pause_before_installing: 0,
        pause_before_committing: 0,
        pause_before_rebooting: 0,
        downloading: 0,
        installing: 0,
        rebooting: 0,
        pending: 1,
        success: 0,
        aborted: 0,
        noartifact: 0,
        'already-installed': 0,
        decommissioned: 0,
      },
      total_size: 0,
    },
    groups: ['field'],
    filter: { id: '', name: '', terms: [{ scope: 'identity', attribute: 'id', type: '$in', value: ['a'] }] },
    type: 'software',
    force_installation: true,
  });
});

test('a deployment is for the accepted devices of that moment: who joins later is not in it, who leaves still is', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  server.known.accepted = ['a', 'b', 'c'];
  server.known.groups = { a: 'field', b: 'field', c: 'lab' };
  const all = await deploy(server, { name: 'all', all_devices: true });
  const group = await deploy(server, { name: 'group' }, 'field');
  server.known.accepted = ['b', 'c', 'd'];
  server.known.groups = { a: 'lab', b: 'lab', c: 'field', d: 'field' };
  const targets = async (id: string) =>
    (await server.request('GET', `${base}/${id}/device_list`, { as: 'user' })).json;
  assert.deepEqual(await targets(all), ['a', 'b', 'c']);
  assert.deepEqual(await targets(group), ['a', 'b']);
  assert.deepEqual((await shown(server, all))['filter'], {
    id: '',
    name: '',
    terms: [{ scope: 'identity', attribute: 'status', type: '$eq', value: 'accepted' }],
  });
  assert.deepEqual((await shown(server, group))['filter'], {
    id: '',
    name: '',
    terms: [{ scope: 'system', attribute: 'group', type: '$eq', value: 'field' }],
  });
  assert.deepEqual((await shown(server, group))['groups'], ['field']);
  assert.equal((await poll(server, 'd')).status, 204);
  assert.equal((await poll(server, 'a')).status, 200);
});

test('a deployment that cannot be is refused with the reason', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const good = { name: 'n', artifact_name: 'r', devices: ['a'] };
  const cases: [string, unknown, number, RegExp][] = [
    [base, { ...good, name: '' }, 400, /^Validating request body: name/],
    [base, { ...good, name: 'x'.repeat(257) }, 400, /^Validating request body: name/],
    [base, { ...good, name: undefined }, 400, /^Validating request body: name/],
    [base, { ...good, artifact_name: '' }, 400, /^Validating request body: artifact_name/],
    [base, { ...good, artifact_name: 'x'.repeat(4097) }, 400, /^Validating request body: artifact_name/],
    [
      base,
      { ...good, devices: [] },
      400,
      /Invalid deployments definition: provide list of devices or set all_devices flag/,
    ],
    [base, { ...good, all_devices: true }, 400, /^Validating request body/],
    [base, { ...good, devices: [''] }, 400, /^Validating request body: devices/],
    [base, { ...good, devices: ['a\nb'] }, 400, /^Validating request body: devices/],
    [base, { ...good, devices: 'a' }, 400, /devices/],
    [base, { ...good, artifact_name: 'absent' }, 422, /^No artifact for the deployment$/],
    [base, { ...good, devices: undefined, all_devices: true }, 400, /^No devices for the deployment$/],
    [`${base}/group/empty`, { name: 'n', artifact_name: 'r' }, 400, /^No devices for the deployment$/],
    [`${base}/group/g`, good, 400, /^Validating request body/],
  ];
  for (const [path, json, status, message] of cases) {
    const answer = await server.request('POST', path, { as: 'user', json });
    assert.equal(answer.status, status, JSON.stringify(json));
    assert.match(errorOf(answer), message);
  }
  const noJson = await server.request('POST', base, {
    as: 'user',
    body: 'not json',
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(noJson.status, 400);
  assert.equal((await server.request('POST', base, { json: good })).status, 401);
  assert.equal((await server.request('POST', base, { as: 'device:a', json: good })).status, 401);
  assert.deepEqual((await server.request('GET', base, { as: 'user' })).json, []);
});

test('the same deployment cannot run twice at once, but again when it has ended', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const wanted = { name: 'n', artifact_name: 'r', devices: ['a', 'b'] };
  const id = await deploy(server, wanted);
  const again = await server.request('POST', base, {
    as: 'user',
    json: { ...wanted, devices: ['b', 'a', 'a'] },
  });
  assert.equal(again.status, 409);
  assert.equal(
    errorOf(again),
    'Invalid deployment definition: there is already an active deployment with the same parameters',
  );
  await deploy(server, { ...wanted, devices: ['a'] });
  await server.request('PUT', `${base}/${id}/status`, { as: 'user', json: { status: 'aborted' } });
  await deploy(server, wanted);
});

test('deployments are listed by state, kind, text and time, newest first, by pages', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  await upload(server, { name: 'special_r' });
  const one = await deploy(server, { name: 'one', devices: ['a'] });
  const two = await deploy(server, { name: 'two', devices: ['b'] });
  const three = await deploy(server, { name: 'three', artifact_name: 'special_r', devices: ['c'] });
  await poll(server, 'b');
  await report(server, 'b', two, 'downloading');
  await server.request('PUT', `${base}/${three}/status`, { as: 'user', json: { status: 'aborted' } });

  const list = (query: string) => server.request('GET', `${base}?${query}`, { as: 'user' });
  const names = async (query: string) =>
    ((await list(query)).json as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(await names(''), ['three', 'two', 'one']);
  assert.deepEqual(await names('sort=asc'), ['one', 'two', 'three']);
  assert.deepEqual(await names('status=pending'), ['one']);
  assert.deepEqual(await names('status=inprogress'), ['two']);
  assert.deepEqual(await names('status=finished'), ['three']);
  assert.deepEqual(await names('status=aborted'), ['three']);
  assert.deepEqual(await names('type=software&search=SPECIAL_'), ['three']);
  assert.deepEqual(await names('search=specialXr'), []);
  assert.deepEqual(await names('type=configuration'), []);
  const now = Math.floor(Date.now() / 1000);
  assert.equal((await names(`created_after=${now - 60}&created_before=${now + 60}`)).length, 3);
  assert.deepEqual(await names(`created_before=${now - 60}`), []);

  const page = await list('per_page=2&page=1&sort=asc');
  assert.equal(page.headers.get('x-total-count'), '3');
  assert.equal(
    page.headers.get('link'),
    `<${base}?page=1&per_page=2&sort=asc>; rel="first", <${base}?page=2&per_page=2&sort=asc>; rel="next", <${base}?page=2&per_page=2&sort=asc>; rel="last"`,
  );
  const refusals: [string, string][] = [
    ['status=done', 'unknown status done'],
    ['created_after=soon', 'invalid timestamp: soon'],
    ['sort=up', 'invalid form value: must be one of "asc" or "desc"'],
    ['page=0', 'invalid page query: value must be a non-zero positive integer'],
    ['per_page=501', 'parameter "per_page" above limit (max: 500)'],
  ];
  for (const [query, message] of refusals) {
    const answer = await list(query);
    assert.equal(answer.status, 400, query);
    assert.equal(errorOf(answer), message);
  }
  assert.equal((await list('type=hardware')).status, 400);

  const named = async (query: string) =>
    ((await server.request('GET', `${v2}?${query}`, { as: 'user' })).json as { id: string }[]).map(
      ({ id }) => id,
    );
  assert.deepEqual(await named('name=one&name=two&sort=asc'), [one, two]);
  assert.deepEqual(await named(`id=${three}&id=${one}`), [three, one]);
  server.known.attributes = { 'identity/mac=12:34': 'b' };
  assert.deepEqual(await named('name=12:34&id_attribute=mac&id_scope=identity'), [two]);
  assert.deepEqual(await named('name=56:78&id_attribute=mac'), []);
  assert.equal((await server.request('GET', `${v2}?id=nonsense`, { as: 'user' })).status, 400);
  assert.equal(
    (await server.request('GET', `${v2}?name=x&id_attribute=mac&id_scope=system`, { as: 'user' })).status,
    400,
  );
});

test('a deployment that is not there is 404, an id that is none 400', async () => {
  await using server = await startTestServer();
  for (const rest of ['', '/statistics', '/devices', '/devices/list', '/device_list', '/devices/d/log']) {
    const unknown = await server.request('GET', `${base}/${unknownId}${rest}`, { as: 'user' });
    assert.equal(unknown.status, 404, rest);
    const malformed = await server.request('GET', `${base}/nonsense${rest}`, { as: 'user' });
    assert.equal(malformed.status, 400, rest);
    assert.equal(errorOf(malformed), 'ID is not a valid UUID');
  }
  const statistics = (ids: unknown) =>
    server.request('POST', `${base}/statistics/list`, { as: 'user', json: { deployment_ids: ids } });
  assert.deepEqual((await statistics([])).json, {});
  assert.equal((await statistics([unknownId])).status, 404);
  assert.equal((await statistics(['nonsense'])).status, 400);
  assert.equal((await statistics(Array.from({ length: 101 }, () => unknownId))).status, 400);
});

test('an abort ends the deployment: devices at it are told by 409, those that never asked vanish from the counters', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const id = await deploy(server, { devices: ['a', 'b', 'c'] });
  for (const device of ['a', 'b']) assert.equal((await poll(server, device)).status, 200);
  await report(server, 'a', id, 'success');
  await report(server, 'b', id, 'downloading');
  const abort = (status: string) =>
    server.request('PUT', `${base}/${id}/status`, { as: 'user', json: { status } });
  const other = await abort('finished');
  assert.equal(other.status, 400);
  assert.equal(errorOf(other), 'Unexpected deployment status');
  assert.equal((await shown(server, id))['status'], 'inprogress');

  assert.equal((await abort('aborted')).status, 204);
  const ended = await shown(server, id);
  assert.equal(ended['status'], 'finished');
  assert.ok(ended['finished']);
  const { success, aborted, pending, downloading } = ended.statistics.status;
  assert.deepEqual(
    { success, aborted, pending, downloading },
    { success: 1, aborted: 1, pending: 0, downloading: 0 },
  );
  const late = await report(server, 'b', id, 'installing');
  assert.equal(late.status, 409);
  assert.equal(errorOf(late), 'Deployment aborted');
  assert.equal((await report(server, 'b', id, 'failure')).status, 409);
  assert.equal((await poll(server, 'b')).status, 204);
  assert.equal((await poll(server, 'c')).status, 204);

  // A device that had ended before may still correct itself; the deployment stays finished.
  assert.equal((await report(server, 'a', id, 'failure')).status, 204);
  assert.equal((await shown(server, id))['status'], 'finished');
  for (const target of [id, unknownId]) {
    const again = await server.request('PUT', `${base}/${target}/status`, {
      as: 'user',
      json: { status: 'aborted' },
    });
    assert.equal(again.status, 422);
    assert.equal(errorOf(again), 'Deployment already finished');
  }
});

test('devices of a deployment are listed once they have asked, by status and by pages', async () => {
  await using server = await startTestServer();
  const artifact = await upload(server, { name: 'r' });
  const id = await deploy(server, { devices: ['a', 'b', 'c', 'd'] });
  assert.deepEqual((await server.request('GET', `${base}/${id}/devices`, { as: 'user' })).json, []);
  for (const device of ['c', 'b', 'a']) await poll(server, device);
  await report(server, 'a', id, 'success');
  await report(server, 'b', id, 'pause_before_rebooting', 'waiting for the night');

  const devices = (await server.request('GET', `${base}/${id}/devices`, { as: 'user' })).json as {
    id: string;
    status: string;
    created: string;
    image: { id: string };
    substate?: string;
    started?: string;
    finished?: string;
    log: boolean;
  }[];
  assert.deepEqual(
    devices.map((device) => [device.id, device.status]),
    [
      ['b', 'pause_before_rebooting'],
      ['c', 'pending'],
      ['a', 'success'],
    ],
  );
  assert.equal(devices[0]?.substate, 'waiting for the night');
  assert.equal(devices[0]?.image.id, artifact);
  assert.equal(devices[0]?.created, (await shown(server, id))['created']);
  assert.equal(devices[1]?.started, undefined);
  assert.ok(devices[2]?.started && devices[2].finished);
  assert.equal(devices[2]?.log, false);

  const list = (query: string) =>
    server.request('GET', `${base}/${id}/devices/list?${query}`, { as: 'user' });
  const ids = async (query: string) =>
    ((await list(query)).json as { id: string }[]).map((device) => device.id);
  assert.deepEqual(await ids('status=pause'), ['b']);
  assert.deepEqual(await ids('status=active'), ['b', 'c']);
  assert.deepEqual(await ids('status=finished'), ['a']);
  assert.deepEqual(await ids('status=success'), ['a']);
  assert.deepEqual(await ids('per_page=500'), ['b', 'c', 'a']);
  assert.deepEqual(await ids('per_page=2'), ['b', 'c']);
  assert.deepEqual(await ids('per_page=2&page=2'), ['a']);
  assert.deepEqual(await ids('per_page=2&page=3'), []);
  assert.deepEqual(await ids('per_page=1&page=2&status=active'), ['c']);
  assert.equal((await list('per_page=2')).headers.get('x-total-count'), '3');
  const bad = await list('status=lost');
  assert.equal(bad.status, 400);
  assert.equal(errorOf(bad), 'status: must be a valid value');

  const counters = (await server.request('GET', `${base}/${id}/statistics`, { as: 'user' })).json as Record<
    string,
    number
  >;
  assert.equal(counters['pending'], 2);
  assert.equal(counters['success'], 1);
  const several = await server.request('POST', `${base}/statistics/list`, {
    as: 'user',
    json: { deployment_ids: [id] },
  });
  assert.deepEqual(several.json, [{ id, stats: counters }]);
});

test('the history of a device shows its deployments, newest first, and can be forgotten', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const first = await deploy(server, { name: 'first', devices: ['a'] });
  await poll(server, 'a');
  await report(server, 'a', first, 'failure');
  const second = await deploy(server, { name: 'second', devices: ['a', 'b'] });
  await poll(server, 'a');
  await report(server, 'a', second, 'failure');

  const history = (query = '') => server.request('GET', `${base}/devices/a?${query}`, { as: 'user' });
  type Entry = {
    id: string;
    deployment: { id: string; name: string };
    device: { status: string; deleted?: string };
  };
  const entries = (await history()).json as Entry[];
  assert.deepEqual(
    entries.map(({ deployment, device }) => [deployment.id, deployment.name, device.status]),
    [
      [second, 'second', 'failure'],
      [first, 'first', 'failure'],
    ],
  );
  assert.equal((await history('per_page=1')).headers.get('x-total-count'), '2');
  assert.deepEqual((await history('status=success')).json, []);
  assert.equal((await history('per_page=21')).status, 400);
  assert.equal((await history('status=lost')).status, 400);

  assert.equal((await poll(server, 'a')).status, 204);
  assert.equal((await server.request('DELETE', `${base}/devices/a/history`, { as: 'user' })).status, 204);
  const forgotten = (await history()).json as Entry[];
  assert.ok(forgotten.every(({ device }) => device.deleted !== undefined));
  const offer = await poll(server, 'a');
  assert.equal(offer.status, 200);
  assert.equal((offer.json as { id: string }).id, second);
  const counters = (await shown(server, second)).statistics.status;
  assert.deepEqual([counters['pending'], counters['failure']], [2, 0]);
  assert.equal((await shown(server, second))['device_count'], 1);
  await report(server, 'a', second, 'success');
  const list = (status: string) =>
    server.request('GET', `${base}/${second}/devices/list?status=${status}`, { as: 'user' });
  const ended = await list('finished');
  assert.deepEqual(
    (ended.json as { id: string; status: string }[]).map((one) => [one.id, one.status]),
    [['a', 'success']],
  );
  assert.equal(ended.headers.get('x-total-count'), '1');
  assert.deepEqual((await list('failure')).json, [], 'what it did before is history');
  assert.equal(
    ((await server.request('GET', `${base}/${second}/devices`, { as: 'user' })).json as unknown[]).length,
    1,
  );
  const all = (await history()).json as Entry[];
  assert.equal(all.length, 3);
  assert.equal(new Set(all.map(({ id }) => id)).size, 3);
});

test('all of one device can be aborted: what it is at and what would be next', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const ids: string[] = [];
  for (const name of ['one', 'two', 'three']) ids.push(await deploy(server, { name, devices: ['a', 'b'] }));
  await poll(server, 'a');
  const remove = (device: string) => server.request('DELETE', `${base}/devices/${device}`, { as: 'user' });
  assert.equal((await remove('a')).status, 204);
  const aborted = await Promise.all(
    ids.map(async (id) => (await shown(server, id)).statistics.status['aborted']),
  );
  assert.deepEqual(aborted, [1, 1, 0]);
  const offer = await poll(server, 'a');
  assert.equal((offer.json as { id: string }).id, ids[2]);
  assert.equal((await remove('unheard-of')).status, 204);
});

test('a deployment whose devices are all decommissioned ends, whether or not they had asked', async () => {
  await using server = await startTestServer();
  await upload(server, { name: 'r' });
  const id = await deploy(server, { devices: ['a', 'b', 'c'] });
  await poll(server, 'a');
  await report(server, 'a', id, 'downloading');
  await server.decommission('a');
  const late = await report(server, 'a', id, 'installing');
  assert.equal(late.status, 409);
  assert.equal(errorOf(late), 'Device decommissioned');
  await server.decommission('b');
  assert.equal((await shown(server, id))['status'], 'pending');
  await poll(server, 'c');
  await report(server, 'c', id, 'success');
  const ended = await shown(server, id);
  assert.equal(ended['status'], 'finished');
  assert.equal(ended.statistics.status['decommissioned'], 2);
  const alone = await deploy(server, { name: 'alone', devices: ['d'] });
  await server.decommission('d');
  assert.equal((await shown(server, alone))['status'], 'finished');
});

test('nothing of one tenant is seen by another', async () => {
  await using server = await startTestServer();
  await server.database.unitOfWork(async (tx) => {
    await tx
      .insertInto('tenants')
      .values({ id: 'b'.repeat(24), name: 'other', created: 1 })
      .execute();
  });
  const artifact = await upload(server, { name: 'r' });
  const id = await deploy(server, { devices: ['a'] });
  const other = `user@${'b'.repeat(24)}`;
  const paths = [
    `${base}/${id}`,
    `${base}/${id}/statistics`,
    `${base}/${id}/devices`,
    `/api/management/v1/deployments/artifacts/${artifact}`,
    `/api/management/v1/deployments/artifacts/${artifact}/download`,
    '/api/management/v2/deployments/deployments/releases/r',
  ];
  for (const path of paths) {
    assert.equal((await server.request('GET', path, { as: 'user' })).status, 200, path);
    assert.equal((await server.request('GET', path, { as: other })).status, 404, path);
  }
  for (const path of [
    base,
    v2,
    '/api/management/v1/deployments/artifacts',
    '/api/management/v1/deployments/deployments/releases',
  ]) {
    assert.deepEqual((await server.request('GET', path, { as: other })).json, [], path);
  }
  assert.equal(
    (await server.request('DELETE', `/api/management/v1/deployments/artifacts/${artifact}`, { as: other }))
      .status,
    404,
  );
  assert.equal(
    (await server.request('PUT', `${base}/${id}/status`, { as: other, json: { status: 'aborted' } })).status,
    422,
  );
  const device = `device:a@${'b'.repeat(24)}`;
  const next = '/api/devices/v1/deployments/device/deployments/next?artifact_name=old&device_type=test';
  assert.equal((await server.request('GET', next, { as: device })).status, 204);
});
