import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allEndpoints, openApiDocument, type Endpoint } from '@tandem/api';
import * as fc from 'fast-check';
import { sql } from 'kysely';
import { systemActor } from './actor.ts';
import { readIdentityData } from './device-auth/identity-data.ts';
import { createTenant } from './database/tenants.ts';
import { migrations } from './database/migrations/index.ts';
import { packArtifact } from './deployments/test-data/test-artifact.ts';
import { fuzzedRequest, operationsOf } from './testing/fuzzed-request.ts';
import { acceptedDevice, ed25519Device, startWholeServer, type WholeServer } from './testing/whole-server.ts';

/** In everything the first tenant has that is worth stealing, and in no request. */
const treasure = 'TREASURE';
const base = '/api/management/v1';

/** The ids of real things of the first tenant. */
interface Things {
  readonly device: string;
  readonly authSet: string;
  readonly artifact: string;
  readonly deployment: string;
  readonly user: string;
  readonly personalToken: string;
}

/** Which thing a parameter names: the first row whose path begins so. */
// prettier-ignore
const parameters: readonly (readonly [path: string, name: string, value: (things: Things) => string])[] = [
  ['/api/management/v2/devauth/tokens/',                 'id',            ({ authSet }) => authSet],
  ['/api/management/v2/devauth/limits/',                 'name',          () => 'max_devices'],
  ['/api/management/v2/devauth/',                        'id',            ({ device }) => device],
  ['/api/management/v2/devauth/',                        'aid',           ({ authSet }) => authSet],
  [`${base}/inventory/groups/`,                          'name',          () => 'lab'],
  [`${base}/inventory/devices/`,                         'id',            ({ device }) => device],
  [`${base}/inventory/devices/`,                         'name',          () => 'lab'],
  [`${base}/deployments/artifacts/`,                     'id',            ({ artifact }) => artifact],
  [`${base}/deployments/limits/`,                        'name',          () => 'storage'],
  [`${base}/deployments/deployments/group/`,             'name',          () => 'lab'],
  [`${base}/deployments/deployments/`,                   'id',            ({ deployment }) => deployment],
  [`${base}/deployments/deployments/`,                   'device_id',     ({ device }) => device],
  ['/api/management/v2/deployments/',                    'name',          () => 'release'],
  ['/api/devices/',                                      'id',            ({ deployment }) => deployment],
  [`${base}/deviceconfig/`,                              'device_id',     ({ device }) => device],
  [`${base}/deviceconnect/`,                             'id',            ({ device }) => device],
  [`${base}/deviceconnect/`,                             'session_id',    ({ device }) => device],
  [`${base}/iot-manager/`,                               'id',            ({ device }) => device],
  [`${base}/useradm/users/`,                             'id',            ({ user }) => user],
  [`${base}/useradm/settings/tokens/`,                   'id',            ({ personalToken }) => personalToken],
];

const secured = allEndpoints.filter(({ audience }) => audience !== 'none');
/** The stream of changes does not end; its own test tries it with another tenant's token. */
const answering = secured.filter(({ id }) => id !== 'streamChanges');

function realPath({ id, path }: Endpoint, things: Things): string {
  return path.replaceAll(/\{([^}]+)\}/g, (_match, name: string) => {
    const row = parameters.find(([prefix, parameter]) => path.startsWith(prefix) && parameter === name);
    assert.ok(row, `${id}: say above what {${name}} of ${path} is`);
    return encodeURIComponent(row[2](things));
  });
}

describe('with the token of another tenant', () => {
  let server: WholeServer;
  let things: Things;
  let own: { user: string; device: string };
  let foreign: { user: string; device: string };

  before(async () => {
    server = await startWholeServer();
    ({ things, own } = await furnish(server));
    const tenant = await createTenant(server.database, Date.now, 'other');
    const user = await server.userOf(tenant, { email: 'else@example.org', password: 'another password' });
    foreign = { user, device: await deviceTokenOf(server, tenant) };
  });
  after(() => server[Symbol.asyncDispose]());

  const ask = (endpoint: Endpoint, token: string, bodySeed: number) => {
    const operation = operationsOf(openApiDocument([endpoint], '1'))[0];
    assert.ok(operation);
    const [made] = fc.sample(fuzzedRequest(operation, ['lab', 'release', things.device]), {
      seed: bodySeed,
      numRuns: 1,
    });
    const path = realPath(endpoint, things);
    return server.request(endpoint.method, path, {
      token,
      headers: made?.headers ?? {},
      ...(made?.body === undefined ? {} : { body: made.body }),
    });
  };

  it('its own things are open to it', async () => {
    const own = await server.request('GET', '/api/devices/v1/deviceconfig/configuration', {
      token: foreign.device,
    });
    assert.deepEqual([own.status, own.json], [200, {}]);
  });

  it('the owner is shown the treasure at many places, so that it would be seen', async () => {
    const shown: string[] = [];
    for (const endpoint of answering.filter((one) => one.method === 'GET')) {
      const answer = await ask(endpoint, endpoint.audience === 'user' ? own.user : own.device, 1);
      if (answer.text.includes(treasure)) shown.push(endpoint.id);
    }
    assert.ok(shown.length >= 12, shown.join());
  });

  for (const endpoint of answering.filter(({ id }) => id !== 'logout')) {
    it(`${endpoint.method} ${endpoint.path} shows nothing and changes nothing of the first`, async () => {
      const seen = await everythingOf(server);
      for (const bodySeed of [1, 2, 3]) {
        const answer = await ask(
          endpoint,
          endpoint.audience === 'user' ? foreign.user : foreign.device,
          bodySeed,
        );
        assert.ok(answer.status < 500, `${answer.status}`);
        assert.ok(!answer.text.includes(treasure), answer.text);
      }
      assert.deepEqual(await everythingOf(server), seen);
    });
  }
});

describe('a token that was revoked', () => {
  let server: WholeServer;
  let things: Things;
  let revoked: { user: string; device: string; personal: string };
  before(async () => {
    server = await startWholeServer();
    const furnished = await furnish(server);
    ({ things } = furnished);
    const session = await server.logIn();
    const personal = await server.request('POST', `${base}/useradm/settings/tokens`, {
      token: server.token,
      body: { name: 'x', expires_in: 0 },
    });
    const tokens = await server.request('GET', `${base}/useradm/settings/tokens`, { token: server.token });
    const { id } =
      (tokens.json as { id: string; name: string }[]).find(({ name }) => name === 'x') ?? assert.fail();
    for (const [method, path, token] of [
      ['POST', `${base}/useradm/auth/logout`, session],
      ['DELETE', `${base}/useradm/settings/tokens/${id}`, server.token],
      ['DELETE', `/api/management/v2/devauth/tokens/${things.authSet}`, server.token],
    ] as const) {
      const { status } = await server.request(method, path, { token });
      assert.ok(status === 202 || status === 204, `${method} ${path}: ${status}`);
    }
    revoked = { user: session, device: furnished.own.device, personal: personal.text };
  });
  after(() => server[Symbol.asyncDispose]());

  for (const endpoint of secured) {
    it(`opens nothing: ${endpoint.method} ${endpoint.path}`, async () => {
      const tokens = endpoint.audience === 'user' ? [revoked.user, revoked.personal] : [revoked.device];
      for (const token of tokens) {
        const { status, text } = await server.request(endpoint.method, realPath(endpoint, things), { token });
        assert.deepEqual([status, text], [401, '']);
      }
    });
  }
});

/** Of an accepted device in that tenant; over the network devices come to the first alone. */
async function deviceTokenOf({ server: { deviceAuth } }: WholeServer, tenant: string): Promise<string> {
  const { idData, pubkey } = ed25519Device({ sn: 'foreign' });
  const identity = readIdentityData(idData);
  const actor = systemActor(tenant, 'test');
  await deviceAuth.authenticate(tenant, identity, pubkey);
  const [found] = await deviceAuth.list(
    actor,
    { statuses: [], ids: [] },
    { page: 1, perPage: 1, offset: 0 },
    AbortSignal.timeout(10_000),
  );
  await deviceAuth.setAuthSetStatus(actor, found?.device.id ?? '', found?.sets[0]?.id ?? '', 'accepted');
  const answer = await deviceAuth.authenticate(tenant, identity, pubkey);
  return typeof answer === 'string' ? assert.fail(answer) : answer.token;
}

/** One of everything, with the treasure in it. */
async function furnish(
  server: WholeServer,
): Promise<{ things: Things; own: { user: string; device: string } }> {
  const { token } = server;
  const { id: device, setId: authSet, token: deviceToken } = await acceptedDevice(server, { sn: treasure });
  const done = async (
    method: string,
    path: string,
    body?: unknown,
    given?: { token?: string; headers?: Record<string, string> },
  ) => {
    const answer = await server.request(method, path, { token, body, ...given });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const asDevice = { token: deviceToken };
  await done(
    'PATCH',
    '/api/devices/v1/inventory/device/attributes',
    [{ name: 'secret', value: treasure }],
    asDevice,
  );
  await done('PUT', `${base}/inventory/devices/${device}/tags`, [{ name: 'secret', value: treasure }]);
  await done('PUT', `${base}/inventory/devices/${device}/group`, { group: 'lab' });
  const form = Buffer.concat([
    Buffer.from(`--b\r\nContent-Disposition: form-data; name="description"\r\n\r\n${treasure}\r\n`),
    Buffer.from('--b\r\nContent-Disposition: form-data; name="artifact"; filename="a"\r\n\r\n'),
    await packArtifact({ name: 'release', deviceTypes: ['t'] }),
    Buffer.from('\r\n--b--\r\n'),
  ]);
  const uploaded = await done('POST', `${base}/deployments/artifacts`, form, {
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
  });
  await done('PATCH', '/api/management/v2/deployments/deployments/releases/release', { notes: treasure });
  const made = await done('POST', `${base}/deployments/deployments`, {
    name: treasure,
    artifact_name: 'release',
    devices: [device],
  });
  const deployment = String(made.headers['location']).split('/').at(-1) ?? '';
  const updates = '/api/devices/v1/deployments/device/deployments';
  await done('GET', `${updates}/next?artifact_name=a&device_type=t`, undefined, asDevice);
  await done(
    'PUT',
    `${updates}/${deployment}/status`,
    { status: 'downloading', substate: treasure },
    asDevice,
  );
  const message = { timestamp: '2026-01-01T00:00:00Z', level: 'info', message: treasure };
  await done('PUT', `${updates}/${deployment}/log`, { messages: [message] }, asDevice);
  await done('PUT', `${base}/deviceconfig/configurations/device/${device}`, { secret: treasure });
  await done('POST', `${base}/useradm/settings`, { secret: treasure });
  await done('POST', `${base}/useradm/settings/me`, { secret: treasure });
  await done('POST', `${base}/useradm/settings/tokens`, { name: treasure, expires_in: 0 });
  const tokens = await done('GET', `${base}/useradm/settings/tokens`);
  const added = await done('POST', `${base}/useradm/users`, {
    email: `${treasure}@example.com`,
    password: 'a long password',
  });
  return {
    things: {
      device,
      authSet,
      deployment,
      artifact: String(uploaded.headers['location']).split('/').at(-1) ?? '',
      user: String(added.headers['location']).split('/').at(-1) ?? '',
      personalToken: (tokens.json as { id: string }[])[0]?.id ?? '',
    },
    own: { user: token, device: deviceToken },
  };
}

const tables = migrations
  .flatMap(({ sql: text }) => [...text.matchAll(/CREATE TABLE (\w+) \(\s+tenant /g)])
  .flatMap(([, name]) => name ?? []);

/** Every row of the first tenant. */
async function everythingOf({ database }: WholeServer): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const table of tables) {
    const { rows } =
      await sql`select * from ${sql.table(table)} where tenant = '000000000000000000000001'`.execute(
        database.read,
      );
    // When its own devices last asked is written up to half a minute later than they asked.
    found[table] = rows
      .filter((row) => !isCheckIn(row))
      .map((row) => JSON.stringify(row, withoutCheckIn))
      .toSorted();
  }
  return found;
}

const withoutCheckIn = (key: string, value: unknown): unknown =>
  key === 'check_in_time' ? undefined : value;

const isCheckIn = (row: unknown): boolean =>
  typeof row === 'object' && row !== null && 'name' in row && row.name === 'check_in_time';
