import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { defaultTenant, systemActor } from '../actor.ts';
import {
  acceptedDevice,
  authRequest,
  authRequestsPath,
  ed25519Device,
  findDevice,
  startWholeServer,
  type TestDevice,
  type WholeServer,
} from '../testing/whole-server.ts';

const base = '/api/management/v2/devauth';

let server: WholeServer;
before(async () => {
  server = await startWholeServer();
});
after(() => server[Symbol.asyncDispose]());

const ask = (device: TestDevice) => server.request('POST', authRequestsPath, authRequest(device));
const asUser = (method: string, path: string, body?: unknown) =>
  server.request(method, `${base}${path}`, { token: server.token, body });
const errorOf = ({ json }: { json: unknown }) => (json as { error: string }).error;

const pairOf = (kind: 'rsa' | 'p256' | 'p384') => {
  switch (kind) {
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  }
};

describe('a device that asks to be let in', () => {
  for (const kind of ['rsa', 'p256', 'p384'] as const) {
    it(`is heard with a key of kind ${kind}, stays out until it is accepted, then has a token`, async () => {
      const { privateKey, publicKey } = pairOf(kind);
      const pubkey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
      const { token } = await acceptedDevice(
        server,
        { kind },
        { key: privateKey, pubkey, idData: `{"kind":"${kind}"}` },
      );
      const [head, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
      assert.deepEqual(JSON.parse(head ?? ''), { alg: 'EdDSA', typ: 'JWT', kid: 0 });
      const { iss, exp, iat, ...rest } = JSON.parse(claims ?? '') as Record<string, unknown>;
      assert.equal(iss, 'Mender');
      assert.equal(Number(exp) - Number(iat), 604_800);
      assert.equal(rest['mender.device'], true);
    });
  }

  it('is pending, with its identity in the inventory', async () => {
    const device = ed25519Device({ mac: 'aa:01', status: 'accepted' });
    const refused = await ask(device);
    assert.equal(refused.status, 401);
    assert.equal(errorOf(refused), 'dev auth: unauthorized');
    const { id, status, auth_sets: sets } = await findDevice(server, device.idData);
    assert.equal(status, 'pending');
    assert.deepEqual(
      sets.map((set) => set.status),
      ['pending'],
    );
    const { json } = await server.request('GET', `/api/management/v1/inventory/devices/${id}`, {
      token: server.token,
    });
    const { attributes } = json as { attributes: { scope: string; name: string; value: unknown }[] };
    const identity = attributes.filter(({ scope }) => scope === 'identity');
    assert.deepEqual(
      identity.map(({ name, value }) => [name, value]),
      [
        ['mac', 'aa:01'],
        ['status', 'pending'],
      ],
      'a device cannot say of itself that it is accepted',
    );
  });

  it('is one device, however it writes its identity and its key', async () => {
    const first = ed25519Device({ sn: '7', mac: 'a<b', n: { z: 1, a: 2.5 } });
    await ask(first);
    const pem = first.pubkey.replaceAll('\n', '\r\n');
    await ask({ ...first, pubkey: pem, idData: '{ "n": {"a":2.50,"z":1}, "mac":"a<b", "sn":"7" }' });
    const { json } = await asUser('GET', '/devices?status=pending&per_page=500');
    const same = (json as { identity_data: { sn?: string }; auth_sets: unknown[] }[]).filter(
      ({ identity_data: identity }) => identity.sn === '7',
    );
    assert.equal(same.length, 1);
    assert.equal(same[0]?.auth_sets.length, 1);
  });

  const device = ed25519Device({ mac: 'bad' });
  const good = authRequest(device);
  const signed = (body: object) => {
    const { headers } = authRequest(device);
    return { body: JSON.stringify(body), headers: headers ?? {} };
  };
  for (const [what, options, status, message] of [
    ['no JSON', { ...good, body: '{' }, 400, /^failed to decode auth request: /],
    [
      'no identity',
      signed({ pubkey: device.pubkey }),
      400,
      /^invalid auth request: id_data must be provided$/,
    ],
    ['no key', signed({ id_data: '{}' }), 400, /^invalid auth request: pubkey must be provided$/],
    ['a key that is none', signed({ id_data: '{}', pubkey: 'x' }), 400, /cannot decode public key$/],
    [
      'an identity that is no object',
      signed({ id_data: '[1]', pubkey: device.pubkey }),
      400,
      /id_data must be/,
    ],
    [
      'an identity that is no JSON',
      signed({ id_data: '{', pubkey: device.pubkey }),
      400,
      /id_data is not JSON/,
    ],
    ['no signature', { body: good.body }, 400, /^missing request signature header$/],
    ['an empty body', { ...good, body: '' }, 400, /^failed to decode auth request: /],
    [
      'a signature of other bytes',
      { ...good, body: `${String(good.body)} ` },
      401,
      /^signature verification failed$/,
    ],
    [
      'a signature that is no base64',
      { ...good, headers: { 'x-men-signature': '§$%' } },
      401,
      /^signature verification/,
    ],
  ] as const) {
    it(`is refused with ${status} for ${what}, and leaves nothing behind`, async () => {
      const answer = await server.request('POST', authRequestsPath, options);
      assert.equal(answer.status, status);
      assert.match(errorOf(answer), message);
      await assert.rejects(findDevice(server, device.idData), /no device/);
    });
  }

  it('must hold the private key of what it sends: a private key in PEM is not taken', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const answer = await ask({ ...device, pubkey: pem });
    assert.equal(answer.status, 400);
  });

  it('loses its token when it is rejected, and comes back with a new acceptance', async () => {
    const { id, token, setId, device: known } = await acceptedDevice(server, { mac: 'aa:02' });
    const inventory = () =>
      server.request('PATCH', '/api/devices/v1/inventory/device/attributes', {
        token,
        body: [{ name: 'a', value: '1' }],
      });
    assert.equal((await inventory()).status, 200);
    assert.equal(
      (await asUser('PUT', `/devices/${id}/auth/${setId}/status`, { status: 'rejected' })).status,
      204,
    );
    const refused = await inventory();
    assert.equal(refused.status, 401);
    assert.equal(refused.text, '');
    assert.equal((await ask(known)).status, 401);
    assert.equal(
      (await asUser('PUT', `/devices/${id}/auth/${setId}/status`, { status: 'accepted' })).status,
      204,
    );
    assert.equal((await ask(known)).status, 200);
  });

  it('with a new key is a second auth set of the same device, and accepting it rejects the first', async () => {
    const first = await acceptedDevice(server, { mac: 'aa:03' });
    const renewed = { ...ed25519Device({ mac: 'aa:03' }) };
    assert.equal((await ask(renewed)).status, 401);
    const waiting = await findDevice(server, renewed.idData);
    assert.equal(waiting.id, first.id);
    assert.equal(waiting.status, 'accepted', 'through the first key');
    const pending = waiting.auth_sets.find(({ status }) => status === 'pending');
    await asUser('PUT', `/devices/${first.id}/auth/${pending?.id}/status`, { status: 'accepted' });
    const after = await findDevice(server, renewed.idData);
    const statusOf = (wanted: string | undefined) => after.auth_sets.find(({ id }) => id === wanted)?.status;
    assert.deepEqual([statusOf(first.setId), statusOf(pending?.id)], ['rejected', 'accepted']);
    assert.equal((await ask(renewed)).status, 200);
    assert.equal((await ask(first.device)).status, 401);
  });

  it('has a token for a week', async () => {
    const { token } = await acceptedDevice(server, { mac: 'aa:04' });
    const body = [{ name: 'a', value: '1' }];
    const report = () =>
      server.request('PUT', '/api/devices/v1/inventory/device/attributes', { token, body });
    assert.equal((await report()).status, 200);
    server.time.offsetMs = 604_801_000;
    assert.equal((await report()).status, 401);
    server.time.offsetMs = 0;
  });
});

describe('the status of an auth set', () => {
  for (const [from, to, status] of [
    ['pending', 'pending', 204],
    ['pending', 'rejected', 204],
    ['rejected', 'pending', 204],
    ['accepted', 'pending', 204],
    ['accepted', 'accepted', 204],
    ['preauthorized', 'accepted', 400],
    ['preauthorized', 'rejected', 400],
    ['preauthorized', 'pending', 400],
    ['pending', 'preauthorized', 400],
    ['pending', 'nonsense', 400],
  ] as const) {
    it(`${from} to ${to} is ${status}`, async () => {
      const identity = { transition: `${from} to ${to}` };
      const device = ed25519Device(identity);
      if (from === 'preauthorized') {
        await asUser('POST', '/devices', { identity_data: identity, pubkey: device.pubkey });
      } else {
        await ask(device);
      }
      const { id, auth_sets: sets } = await findDevice(server, device.idData);
      const path = `/devices/${id}/auth/${sets[0]?.id}/status`;
      if (from === 'accepted' || from === 'rejected') await asUser('PUT', path, { status: from });
      assert.deepEqual((await asUser('GET', path)).json, { status: from });
      assert.equal((await asUser('PUT', path, { status: to })).status, status);
      assert.deepEqual((await asUser('GET', path)).json, { status: status === 204 ? to : from });
    });
  }

  it('is 404 for an unknown set, and 400 for the set of another device', async () => {
    const [a, b] = [
      await acceptedDevice(server, { mac: 'aa:05' }),
      await acceptedDevice(server, { mac: 'aa:06' }),
    ];
    const unknown = await asUser('PUT', `/devices/${a.id}/auth/unknown/status`, { status: 'accepted' });
    assert.equal(unknown.status, 404);
    assert.equal(errorOf(unknown), 'authorization set not found');
    const foreign = await asUser('PUT', `/devices/${a.id}/auth/${b.setId}/status`, { status: 'rejected' });
    assert.equal(foreign.status, 400);
    assert.equal(errorOf(foreign), 'dev auth: dev ID and auth ID mismatch');
  });
});

describe('a preauthorized device', () => {
  it('is let in at its first request', async () => {
    const identity = { serial: 'pre-1' };
    const device = ed25519Device(identity);
    const made = await asUser('POST', '/devices', { identity_data: identity, pubkey: device.pubkey });
    assert.equal(made.status, 201);
    const { id, status } = await findDevice(server, device.idData);
    assert.equal(made.headers['location'], `devices/${id}`);
    assert.equal(status, 'preauthorized');
    assert.equal((await ask(device)).status, 200);
    assert.equal((await findDevice(server, device.idData)).status, 'accepted');
  });

  it('is 409 with the device that is there when the identity is known, unless forced', async () => {
    const known = await acceptedDevice(server, { serial: 'pre-2' });
    const { pubkey } = ed25519Device({});
    const body = { identity_data: { serial: 'pre-2' }, pubkey };
    const conflict = await asUser('POST', '/devices', body);
    assert.equal(conflict.status, 409);
    assert.equal((conflict.json as { id: string }).id, known.id);
    assert.equal((await asUser('POST', '/devices', { ...body, force: true })).status, 201);
    const { auth_sets: sets } = await findDevice(server, '{"serial":"pre-2"}');
    assert.deepEqual(sets.map(({ status }) => status).toSorted(), ['accepted', 'preauthorized']);
  });

  it('goes with its last auth set', async () => {
    const identity = { serial: 'pre-3' };
    const { pubkey, idData } = ed25519Device(identity);
    await asUser('POST', '/devices', { identity_data: identity, pubkey });
    const { id, auth_sets: sets } = await findDevice(server, idData);
    assert.equal((await asUser('DELETE', `/devices/${id}/auth/${sets[0]?.id}`)).status, 204);
    await assert.rejects(findDevice(server, idData), /no device/);
    const inventory = await server.request('GET', `/api/management/v1/inventory/devices/${id}`, {
      token: server.token,
    });
    assert.equal(inventory.status, 404);
  });
});

describe('a device that is taken away', () => {
  it('dismissed: it stays listed without auth sets', async () => {
    const { id, setId, token } = await acceptedDevice(server, { mac: 'aa:07' });
    assert.equal((await asUser('DELETE', `/devices/${id}/auth/${setId}`)).status, 204);
    const { status, auth_sets: sets } = await findDevice(server, '{"mac":"aa:07"}');
    assert.equal(status, 'noauth');
    assert.deepEqual(sets, []);
    assert.equal(
      (await server.request('PUT', '/api/devices/v1/inventory/device/attributes', { token, body: [] }))
        .status,
      401,
    );
    const again = await asUser('DELETE', `/devices/${id}/auth/${setId}`);
    assert.deepEqual([again.status, again.text], [404, '']);
  });

  it('decommissioned: gone everywhere at once, and it comes back as a new device', async () => {
    const { id, token, device } = await acceptedDevice(server, { mac: 'aa:08' });
    assert.equal((await asUser('DELETE', `/devices/${id}`)).status, 204);
    assert.equal(
      (await server.request('PUT', '/api/devices/v1/inventory/device/attributes', { token, body: [] }))
        .status,
      401,
    );
    assert.equal((await asUser('GET', `/devices/${id}`)).status, 404);
    const inventory = await server.request('GET', `/api/management/v1/inventory/devices/${id}`, {
      token: server.token,
    });
    assert.equal(inventory.status, 404);
    const again = await asUser('DELETE', `/devices/${id}`);
    assert.deepEqual([again.status, again.text], [404, '']);
    assert.equal((await ask(device)).status, 401);
    const returned = await findDevice(server, device.idData);
    assert.notEqual(returned.id, id);
    assert.equal(returned.status, 'pending');
  });

  it('its token revoked: it has to ask again', async () => {
    const { setId, token, device } = await acceptedDevice(server, { mac: 'aa:09' });
    assert.equal((await asUser('DELETE', `/tokens/${setId}`)).status, 204);
    assert.equal(
      (await server.request('PUT', '/api/devices/v1/inventory/device/attributes', { token, body: [] }))
        .status,
      401,
    );
    assert.equal((await asUser('DELETE', `/tokens/${setId}`)).status, 404);
    assert.equal((await ask(device)).status, 200);
  });
});

describe('lists of devices', () => {
  it('are pages by status and id, with links and without a total', async () => {
    const { json, headers } = await asUser(
      'GET',
      '/devices?per_page=2&page=2&status=accepted&status=pending',
    );
    assert.equal((json as unknown[]).length, 2);
    const path = `${base}/devices?page=`;
    const query = '&per_page=2&status=accepted&status=pending';
    assert.deepEqual(headers['link'], [
      `<${path}1${query}>; rel="first"`,
      `<${path}1${query}>; rel="prev"`,
      `<${path}3${query}>; rel="next"`,
    ]);
    assert.equal(headers['x-total-count'], undefined);
    const all = (await asUser('GET', '/devices?per_page=500')).json as { status: string; id: string }[];
    const keys = all.map(({ status, id }) => `${status} ${id}`);
    assert.deepEqual(keys, keys.toSorted());
  });

  it('refuse a status that is none', async () => {
    const list = await asUser('GET', '/devices?status=gone');
    assert.equal(list.status, 400);
    assert.equal(
      errorOf(list),
      'filter status must be one of: accepted, pending, rejected, preauthorized or noauth',
    );
    assert.equal((await asUser('GET', '/devices/count?status=gone')).status, 400);
  });

  it('can be searched with JSON or a form; text or list', async () => {
    const { id } = await acceptedDevice(server, { mac: 'aa:10' });
    for (const body of [{ id }, { id: [id] }, { id, status: ['accepted', 'pending'] }]) {
      const { json } = await asUser('POST', '/devices/search', body);
      assert.deepEqual(
        (json as { id: string }[]).map((device) => device.id),
        [id],
      );
    }
    const form = await server.request('POST', `${base}/devices/search`, {
      token: server.token,
      body: `id=${id}&status=accepted`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    assert.equal((form.json as unknown[]).length, 1);
    assert.deepEqual((await asUser('POST', '/devices/search', { status: 'gone' })).json, []);
    assert.equal((await asUser('POST', '/devices/search', '')).status, 400);
    const other = { token: server.token, body: 'x', headers: { 'content-type': 'text/csv' } };
    assert.equal((await server.request('POST', `${base}/devices/search`, other)).status, 415);
  });

  it('count what they list', async () => {
    const count = async (query: string) =>
      ((await asUser('GET', `/devices/count${query}`)).json as { count: number }).count;
    const all = (await asUser('GET', '/devices?per_page=500')).json as { status: string }[];
    assert.equal(await count(''), all.length);
    assert.equal(await count('?status=accepted'), all.filter(({ status }) => status === 'accepted').length);
  });

  it('show when a device was last heard of, before and after that is stored', async () => {
    const { id, token } = await acceptedDevice(server, { mac: 'aa:11' });
    const seen = async () =>
      ((await asUser('GET', `/devices/${id}`)).json as { check_in_time?: string }).check_in_time;
    assert.equal(await seen(), undefined);
    await server.request('PUT', '/api/devices/v1/inventory/device/attributes', { token, body: [] });
    assert.ok(Math.abs(Date.parse((await seen()) ?? '') - Date.now()) < 10_000);
  });
});

describe('the limit of accepted devices', () => {
  it('is unlimited, then holds for accepting and for preauthorized devices, and not for one that is in already', async () => {
    assert.deepEqual((await asUser('GET', '/limits/max_devices')).json, { limit: -1 });
    assert.equal((await asUser('GET', '/limits/other')).status, 400);
    const inside = await acceptedDevice(server, { mac: 'aa:12' });
    const { json } = await asUser('GET', '/devices/count?status=accepted');
    const { count } = json as { count: number };
    const actor = systemActor(defaultTenant, 'test');
    await server.server.deviceAuth.setLimit(actor, count);

    const late = ed25519Device({ mac: 'aa:13' });
    await ask(late);
    const { id, auth_sets: sets } = await findDevice(server, late.idData);
    const full = await asUser('PUT', `/devices/${id}/auth/${sets[0]?.id}/status`, { status: 'accepted' });
    assert.equal(full.status, 422);
    assert.equal(errorOf(full), 'maximum number of accepted devices reached');

    const announced = ed25519Device({ mac: 'aa:14' });
    await asUser('POST', '/devices', { identity_data: { mac: 'aa:14' }, pubkey: announced.pubkey });
    const refused = await ask(announced);
    assert.deepEqual([refused.status, errorOf(refused)], [401, 'unauthorized']);

    const renewed = ed25519Device({ mac: 'aa:12' });
    await ask(renewed);
    const pending = (await findDevice(server, renewed.idData)).auth_sets.find(
      ({ status }) => status === 'pending',
    );
    const path = `/devices/${inside.id}/auth/${pending?.id}/status`;
    assert.equal((await asUser('PUT', path, { status: 'accepted' })).status, 204);
    await server.server.deviceAuth.setLimit(actor, -1);
  });
});
