import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { allEndpoints, type Endpoint } from '@tandem/api';
import { createTenant } from './database/tenants.ts';
import { acceptedDevice, startWholeServer, type WholeServer } from './testing/whole-server.ts';

let server: WholeServer;
let deviceToken: string;
let otherTenantsToken: string;
before(async () => {
  server = await startWholeServer();
  ({ token: deviceToken } = await acceptedDevice(server, { mac: 'de:ad:be:ef:00:01' }));
  const tenant = await createTenant(server.database, Date.now, 'other');
  otherTenantsToken = await server.userOf(tenant, {
    email: 'else@example.org',
    password: 'another password',
  });
});
after(() => server[Symbol.asyncDispose]());

const anyPath = ({ path }: Endpoint) => path.replaceAll(/\{[^}]+\}/g, '0b0f8a1e-6f0c-4f0e-9a53-4f3c51b8e0aa');
const isEndless = ({ responses }: Endpoint) =>
  Object.values(responses).some(
    (response) => response?.kind === 'stream' && response.contentType === 'text/event-stream',
  );
const secured = allEndpoints.filter(({ audience }) => audience !== 'none');

describe('every secured endpoint', () => {
  it('there are some of each kind', () => {
    for (const audience of ['device', 'user'] as const) {
      assert.ok(secured.filter((endpoint) => endpoint.audience === audience).length > 3);
    }
  });

  for (const endpoint of secured) {
    const { method, audience } = endpoint;
    describe(`${method} ${endpoint.path}`, () => {
      it('is 401 without a token and without a body', async () => {
        const { status, json, headers } = await server.request(method, anyPath(endpoint));
        assert.equal(status, 401);
        assert.equal((json as { error: string }).error, 'Authorization not present in header');
        assert.match(String(headers['www-authenticate']), /^Bearer/);
      });

      it('is 401 with a token that is none', async () => {
        assert.equal((await server.request(method, anyPath(endpoint), { token: 'e30.e30.e30' })).status, 401);
        assert.equal((await server.request(method, anyPath(endpoint), { token: 'garbage' })).status, 401);
      });

      it('is 401 with the token of the other audience', async () => {
        const token = audience === 'user' ? deviceToken : server.token;
        const { status, text } = await server.request(method, anyPath(endpoint), { token });
        assert.equal(status, 401);
        assert.equal(text, '', 'the answer to a token that does not count has no body');
      });

      it('is 401 with a token whose claims were changed', async () => {
        const right = audience === 'user' ? server.token : deviceToken;
        const [head, claims, mac] = right.split('.');
        const changed = JSON.stringify({
          ...(JSON.parse(Buffer.from(claims ?? '', 'base64url').toString()) as object),
          sub: 'x',
        });
        const token = [head, Buffer.from(changed).toString('base64url'), mac].join('.');
        assert.equal((await server.request(method, anyPath(endpoint), { token })).status, 401);
      });

      it('lets its own audience in', async () => {
        const token = audience === 'user' ? server.token : deviceToken;
        // Logging out and deleting would end the token for the others: what is checked is only that the door opens.
        if (endpoint.id === 'logout') return;
        // A stream of events does not end: its head is enough.
        const asked = isEndless(endpoint) ? 'HEAD' : method;
        const { status } = await server.request(asked, anyPath(endpoint), { token });
        assert.ok(status !== 401 && status !== 403 && status !== 405 && status < 500, `answered ${status}`);
      });
    });
  }
});

describe('a tenant', () => {
  it("does not see another's devices, in any list or by id", async () => {
    const { json } = await server.request('GET', '/api/management/v2/devauth/devices', {
      token: server.token,
    });
    const [mine] = json as { id: string; auth_sets: { id: string }[] }[];
    assert.ok(mine);
    for (const [path, empty] of [
      ['/api/management/v2/devauth/devices', '[]'],
      ['/api/management/v1/inventory/devices', '[]'],
      ['/api/management/v1/inventory/groups', '[]'],
      ['/api/management/v2/devauth/devices/count', '{"count":0}'],
      ['/api/management/v2/inventory/statistics', '{"devices_by_status":{}}'],
      ['/api/management/v1/deployments/deployments', '[]'],
    ] as const) {
      assert.equal((await server.request('GET', path, { token: otherTenantsToken })).text, empty, path);
    }
    const setPath = `/api/management/v2/devauth/devices/${mine.id}/auth/${mine.auth_sets[0]?.id}`;
    for (const [method, path, body] of [
      ['GET', `/api/management/v2/devauth/devices/${mine.id}`, undefined],
      ['DELETE', `/api/management/v2/devauth/devices/${mine.id}`, undefined],
      ['GET', `${setPath}/status`, undefined],
      ['PUT', `${setPath}/status`, { status: 'rejected' }],
      ['DELETE', setPath, undefined],
      ['GET', `/api/management/v1/inventory/devices/${mine.id}`, undefined],
      ['PUT', `/api/management/v1/inventory/devices/${mine.id}/group`, { group: 'stolen' }],
    ] as const) {
      const { status } = await server.request(method, path, { token: otherTenantsToken, body });
      assert.equal(status, 404, `${method} ${path}`);
    }
    assert.equal(
      (await server.request('GET', '/api/management/v1/inventory/groups', { token: server.token })).text,
      '[]',
    );
  });

  it('has users of its own', async () => {
    const { json } = await server.request('GET', '/api/management/v1/useradm/users', {
      token: otherTenantsToken,
    });
    assert.deepEqual(
      (json as { email: string }[]).map(({ email }) => email),
      ['else@example.org'],
    );
  });
});

describe('answers of the whole server', () => {
  it('give an error with the id of the request, taken from it or made', async () => {
    const given = await server.request('GET', '/nowhere', { headers: { 'x-men-requestid': 'my-request-1' } });
    assert.equal(given.status, 404);
    assert.deepEqual(given.json, { error: 'not found', request_id: 'my-request-1' });
    assert.equal(given.headers['x-men-requestid'], 'my-request-1');
    const made = await server.request('GET', '/nowhere');
    assert.match(String(made.headers['x-men-requestid']), /^[0-9a-f]{8}-/);
    const hostile = await server.request('GET', '/nowhere', {
      headers: { 'x-men-requestid': 'a b'.repeat(200) },
    });
    assert.match(String(hostile.headers['x-men-requestid']), /^[0-9a-f]{8}-/);
  });

  it('are errors of ours for what is no request at all', async () => {
    const badPath = await server.request('GET', '/%zz');
    assert.equal(badPath.status, 400);
    assert.ok((badPath.json as { error: string; request_id: string }).request_id);
    const url = await server.server.listen({ host: '127.0.0.1', port: 0 });
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.end('this is not HTTP\r\n\r\n');
    const answer = (await socket.toArray()).join('');
    assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*\{"error":"bad request"\}$/);
  });

  it('are 405 for another method and list the methods for OPTIONS', async () => {
    const path = '/api/management/v2/devauth/devices/abc';
    const wrong = await server.request('PATCH', path);
    assert.equal(wrong.status, 405);
    assert.equal((wrong.json as { error: string }).error, 'method not allowed');
    const options = await server.request('OPTIONS', path);
    assert.equal(options.status, 200);
    assert.deepEqual(options.headers['allow'], ['DELETE', 'GET']);
    assert.equal(options.text, '');
  });

  const path = '/api/management/v1/useradm/settings/me';
  for (const [what, body, headers, status, message] of [
    [
      'another content type',
      '{}',
      { 'content-type': 'text/plain' },
      415,
      /^Bad Content-Type, expected 'application\/json'$/,
    ],
    [
      'no content type',
      '{}',
      { 'content-type': '' },
      400,
      /^Invalid value for Content-Type header: mime: no media type$/,
    ],
    [
      'parameters of the content type',
      '{}',
      { 'content-type': 'application/json; charset=utf-8' },
      201,
      undefined,
    ],
    ['broken JSON', '{"a":', {}, 400, /^api: malformed request body/],
    ['an empty body', '', {}, 400, /^api: malformed request body: EOF$/],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), {}, 400, /^api: malformed request body/],
    ['the wrong shape', '[]', {}, 400, /^invalid body/],
    ['more than a megabyte', `{"a":"${'x'.repeat(1_048_576)}"}`, {}, 413, /^http: request body too large$/],
  ] as const) {
    it(`are ${status} for ${what}`, async () => {
      const answer = await server.request('POST', path, { token: server.token, body, headers });
      assert.equal(answer.status, status);
      if (message !== undefined) assert.match((answer.json as { error: string }).error, message);
    });
  }

  for (const [query, message] of [
    ['page=x', 'invalid page query: "x"'],
    ['page=0', 'invalid page query: value must be a non-zero positive integer'],
    ['per_page=-1', 'invalid per_page query: value must be a non-zero positive integer'],
    ['per_page=501', 'parameter "per_page" above limit (max: 500)'],
  ] as const) {
    it(`are 400 for ?${query}`, async () => {
      const answer = await server.request('GET', `/api/management/v2/devauth/devices?${query}`, {
        token: server.token,
      });
      assert.equal(answer.status, 400);
      assert.equal((answer.json as { error: string }).error, message);
    });
  }

  it('a cookie opens for GET and for nothing else', async () => {
    const headers = { cookie: `a=b; JWT=${server.token}` };
    assert.equal(
      (await server.request('GET', '/api/management/v1/useradm/users/me', { headers })).status,
      200,
    );
    assert.equal((await server.request('POST', path, { headers, body: {} })).status, 401);
  });

  it('the log has neither queries nor tokens', async () => {
    await server.request('GET', '/api/management/v2/devauth/devices?id=secret-query', {
      token: server.token,
    });
    assert.ok(server.logged.some((line) => line.includes('/api/management/v2/devauth/devices 200')));
    for (const line of server.logged) {
      assert.ok(
        !line.includes('secret-query') && !line.includes(server.token) && !line.includes(deviceToken),
        line,
      );
    }
  });

  it('health is ready', async () => {
    assert.equal((await server.request('GET', '/health')).text, '{"status":"ready"}');
  });
});
