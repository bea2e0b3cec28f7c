import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  acceptedDevice,
  authRequest,
  authRequestsPath,
  ed25519Device,
  startWholeServer,
  type WholeServer,
} from '../testing/whole-server.ts';

const reporting = '/api/devices/v1/inventory/device/attributes';
const v1 = '/api/management/v1/inventory';
const v2 = '/api/management/v2/inventory';

interface AttributeJson {
  readonly scope: string;
  readonly name: string;
  readonly value: unknown;
  readonly description?: string;
  readonly timestamp?: string;
}

let server: WholeServer;
let device: { id: string; token: string };
before(async () => {
  server = await startWholeServer();
  device = await acceptedDevice(server, { mac: '01' });
});
after(() => server[Symbol.asyncDispose]());

const asUser = (method: string, path: string, body?: unknown, headers = {}) =>
  server.request(method, path, { token: server.token, body, headers });
const asDevice = (method: string, body: unknown, path = reporting) =>
  server.request(method, path, { token: device.token, body });
const errorOf = ({ json }: { json: unknown }) => (json as { error: string }).error;
const idsOf = ({ json }: { json: unknown }) => (json as { id: string }[]).map(({ id }) => id);

async function attributes(scope: string, id = device.id): Promise<AttributeJson[]> {
  const { json } = await asUser('GET', `${v1}/devices/${id}`);
  return (json as { attributes: AttributeJson[] }).attributes.filter(
    (attribute) => attribute.scope === scope,
  );
}
const values = async (scope: string, id = device.id) =>
  Object.fromEntries((await attributes(scope, id)).map(({ name, value }) => [name, value]));

describe('what a device reports', () => {
  it('is a change to whoever follows them when it says something new, and none when it does not', async () => {
    const told = () =>
      server.database.read
        .selectFrom('change_log')
        .select(['ref', 'actor'])
        .where('kind', '=', 'inventory.reported')
        .where('ref', '=', device.id)
        .execute();
    await asDevice('PATCH', [{ name: 'told', value: '1' }]);
    const [first, ...more] = await told();
    assert.deepEqual([first?.actor, more], [`device:${device.id}`, []]);
    await asDevice('PATCH', [{ name: 'told', value: '1' }]);
    assert.equal((await told()).length, 1);
    await asDevice('PATCH', [{ name: 'told', value: '2' }]);
    assert.equal((await told()).length, 2);
  });

  it('is kept as it was said: texts, numbers, lists of either, and empty lists', async () => {
    const reported = [
      { name: 'a.b$c', value: 'text' },
      { name: 'number', value: 4.5 },
      { name: 'texts', value: ['x', 'y', 'x'] },
      { name: 'numbers', value: [3, 1, 2] },
      { name: 'nothing', value: [] },
      { name: 'empty', value: '' },
    ];
    const answer = await asDevice('PUT', reported);
    assert.deepEqual([answer.status, answer.text], [200, '']);
    assert.deepEqual(
      await values('inventory'),
      Object.fromEntries(reported.map(({ name, value }) => [name, value])),
    );
  });

  it('PUT replaces everything, PATCH adds and changes; other scopes stay', async () => {
    await asDevice('PUT', [
      { name: 'a', value: '1', description: 'first' },
      { name: 'b', value: '2' },
    ]);
    await asDevice('PATCH', [
      { name: 'a', value: '3' },
      { name: 'c', value: '4' },
    ]);
    assert.deepEqual(await values('inventory'), { a: '3', b: '2', c: '4' });
    const [a] = await attributes('inventory');
    assert.equal(a?.description, 'first', 'only overwritten when one is sent');
    await asDevice('PUT', [{ name: 'c', value: '4' }]);
    assert.deepEqual(await values('inventory'), { c: '4' });
    assert.equal((await values('identity'))['mac'], '01');
  });

  it('may be sent to any path below the prefix and to the old one', async () => {
    for (const path of [
      '/api/devices/v1/inventory/attributes',
      '/api/devices/v1/inventory/x/y',
      '/api/0.1.0/attributes',
    ]) {
      assert.equal((await asDevice('PATCH', [{ name: 'path', value: path }], path)).status, 200);
      assert.equal((await values('inventory'))['path'], path);
    }
  });

  for (const [what, body] of [
    ['true', [{ name: 'a', value: true }]],
    ['null', [{ name: 'a', value: null }]],
    ['an object', [{ name: 'a', value: {} }]],
    ['a mixed list', [{ name: 'a', value: ['x', 1] }]],
    ['no name', [{ value: 'x' }]],
    ['an empty name', [{ name: '', value: 'x' }]],
    ['a long name', [{ name: 'x'.repeat(1025), value: 'x' }]],
    ['no list', { name: 'a', value: 'x' }],
    ['101 attributes', Array.from({ length: 101 }, (_, index) => ({ name: `n${index}`, value: 'x' }))],
  ] as const) {
    it(`is refused with 400 for ${what}, and nothing of it is kept`, async () => {
      const before = await values('inventory');
      assert.equal((await asDevice('PUT', body)).status, 400);
      assert.deepEqual(await values('inventory'), before);
    });
  }

  it('may hold 100 attributes, where a repeated name counts once and its last value', async () => {
    const hundred = Array.from({ length: 100 }, (_, index) => ({ name: `n${index}`, value: 'x' }));
    assert.equal((await asDevice('PUT', [...hundred, { name: 'n0', value: 'last' }])).status, 200);
    assert.equal((await values('inventory'))['n0'], 'last');
    const more = await asDevice('PATCH', [{ name: 'one more', value: 'x' }]);
    assert.deepEqual(
      [more.status, errorOf(more)],
      [400, 'the number of attributes in the scope is above the limit'],
    );
    await asDevice('PUT', []);
  });

  it('moves updated_ts when it changed, and once a day when it did not', async () => {
    const updated = async () => (await values('system'))['updated_ts'];
    await asDevice('PUT', [{ name: 'a', value: '1' }]);
    const first = await updated();
    server.time.offsetMs += 1000;
    await asDevice('PUT', [{ name: 'a', value: '1' }]);
    assert.equal(await updated(), first);
    await asDevice('PUT', [{ name: 'a', value: '2' }]);
    const second = await updated();
    assert.notEqual(second, first);
    server.time.offsetMs += 86_400_000;
    await asDevice('PUT', [{ name: 'a', value: '2' }]);
    assert.notEqual(await updated(), second);
    server.time.offsetMs = 0;
    const { json } = await asUser('GET', `${v1}/devices/${device.id}`);
    assert.equal((json as { updated_ts: string }).updated_ts, await updated());
  });

  it('goes on request of a user; unknown devices are none the wiser', async () => {
    await asDevice('PUT', [{ name: 'a', value: '1' }]);
    assert.equal((await asUser('DELETE', `${v1}/devices/${device.id}`)).status, 204);
    assert.deepEqual(await values('inventory'), {});
    assert.equal((await asUser('DELETE', `${v1}/devices/unknown`)).status, 204);
    assert.equal((await asUser('GET', `${v1}/devices/unknown`)).status, 404);
  });
});

describe('tags', () => {
  it('are replaced and updated by users, guarded by If-Match, with the time of the server', async () => {
    const path = `${v1}/devices/${device.id}/tags`;
    const etag = async () => (await asUser('GET', `${v1}/devices/${device.id}`)).headers['etag'];
    assert.equal(await etag(), undefined);
    const body = [
      { name: 'site', value: 'Oslo', timestamp: '1999-01-01T00:00:00Z' },
      { name: 'name', value: 'pump' },
    ];
    assert.deepEqual(
      [(await asUser('PUT', path, body)).status, await values('tags')],
      [200, { site: 'Oslo', name: 'pump' }],
    );
    const [tag] = await attributes('tags');
    assert.ok(Math.abs(Date.parse(tag?.timestamp ?? '') - Date.now()) < 10_000);
    const first = String(await etag());
    assert.equal(
      (await asUser('PATCH', path, [{ name: 'site', value: 'Bergen' }], { 'if-match': first })).status,
      200,
    );
    assert.notEqual(await etag(), first);
    const late = await asUser('PUT', path, [], { 'if-match': first });
    assert.deepEqual([late.status, errorOf(late)], [412, 'ETag does not match']);
    assert.deepEqual(await values('tags'), { site: 'Bergen', name: 'pump' });
    const many = Array.from({ length: 21 }, (_, index) => ({ name: `t${index}`, value: 'x' }));
    assert.equal((await asUser('PUT', path, many)).status, 400);
    await asUser('PUT', path, []);
    assert.deepEqual(await values('tags'), {});
    assert.equal((await asUser('PUT', `${v1}/devices/unknown/tags`, [])).status, 200);
    assert.equal((await asUser('GET', `${v1}/devices/unknown`)).status, 404, 'no device comes of it');
  });
});

describe('static groups', () => {
  it('a device is in one at most; a group is there while a device is in it', async () => {
    const path = `${v1}/devices/${device.id}/group`;
    assert.deepEqual((await asUser('GET', path)).json, { group: null });
    assert.equal((await asUser('PUT', path, { group: 'lab_1-a' })).status, 204);
    assert.equal((await asUser('PUT', path, { group: 'field' })).status, 204);
    assert.deepEqual((await asUser('GET', path)).json, { group: 'field' });
    assert.deepEqual((await asUser('GET', `${v1}/groups`)).json, ['field']);
    assert.equal((await values('system'))['group'], 'field');
    assert.equal((await asUser('DELETE', `${path}/lab_1-a`)).status, 404);
    assert.equal((await asUser('DELETE', `${path}/field`)).status, 204);
    assert.deepEqual((await asUser('GET', `${v1}/groups`)).json, []);
    const gone = await asUser('GET', `${v1}/groups/field/devices`);
    assert.deepEqual([gone.status, errorOf(gone)], [404, 'group not found']);
    assert.equal((await asUser('GET', `${v1}/devices/unknown/group`)).status, 404);
  });

  for (const group of ['', 'a b', 'ä', 'x'.repeat(257)]) {
    it(`the name "${group.slice(0, 5)}" of ${group.length} characters is refused`, async () => {
      assert.equal((await asUser('PUT', `${v1}/devices/${device.id}/group`, { group })).status, 400);
    });
  }

  it('take and lose many devices at once, and are dissolved', async () => {
    const others = await Promise.all(['02', '03', '04'].map((mac) => acceptedDevice(server, { mac })));
    const ids = others.map(({ id }) => id).toSorted();
    const path = `${v1}/groups/many/devices`;
    assert.deepEqual((await asUser('PATCH', path, [...ids, 'unknown'])).json, {
      matched_count: 3,
      updated_count: 3,
    });
    assert.deepEqual((await asUser('PATCH', path, ids.slice(0, 1))).json, { matched_count: 1 });
    const empty = await asUser('PATCH', path, []);
    assert.deepEqual([empty.status, errorOf(empty)], [400, 'no device IDs present in payload']);

    const page = await asUser('GET', `${path}?per_page=2&page=1`);
    assert.deepEqual(page.json, ids.slice(0, 2));
    assert.equal(page.headers['x-total-count'], '3');
    assert.deepEqual(page.headers['link'], [
      `<${path}?page=1&per_page=2>; rel="first"`,
      `<${path}?page=2&per_page=2>; rel="next"`,
      `<${path}?page=2&per_page=2>; rel="last"`,
    ]);

    assert.deepEqual((await asUser('DELETE', path, [ids[0], device.id])).json, {
      matched_count: 1,
      updated_count: 1,
    });
    assert.deepEqual((await asUser('DELETE', `${v1}/groups/many`)).json, {
      matched_count: 2,
      updated_count: 2,
    });
    assert.deepEqual((await asUser('DELETE', `${v1}/groups/many`)).json, {});
  });
});

describe('searching the inventory', () => {
  const fleet = [
    { name: 'alpha', report: { version: 1, os: 'debian', tags: ['x', 'y'], load: 0.5 } },
    { name: 'beta', report: { version: 2, os: 'yocto', tags: ['y'] } },
    { name: 'gamma', report: { version: 10, os: 'debian 13' } },
    { name: 'delta', report: { version: '2', os: 'Debian' } },
  ] as const;
  const ids = new Map<string, string>();
  const known = (found: { json: unknown }) =>
    idsOf(found).flatMap((id) => [...ids].flatMap(([name, other]) => (other === id ? [name] : [])));

  before(async () => {
    for (const { name, report } of fleet) {
      const { id, token } = await acceptedDevice(server, { fleet: name });
      ids.set(name, id);
      const body = Object.entries(report).map(([key, value]) => ({ name: key, value }));
      assert.equal((await server.request('PUT', reporting, { token, body })).status, 200);
    }
    await asUser('PUT', `${v1}/devices/${ids.get('beta')}/group`, { group: 'b' });
    await server.request('POST', authRequestsPath, authRequest(ed25519Device({ fleet: 'waiting' })));
  });

  const inFleet = { scope: 'identity', attribute: 'fleet', type: '$exists', value: true };
  const term = (attribute: string, type: string, value: unknown) => ({
    scope: 'inventory',
    attribute,
    type,
    value,
  });
  const find = async (...filters: object[]) => {
    const sort = [{ scope: 'identity', attribute: 'fleet', order: 'asc' }];
    const found = await asUser('POST', `${v2}/filters/search`, {
      filters: [inFleet, ...filters],
      sort,
      per_page: 500,
    });
    assert.equal(found.status, 200, found.text);
    return known(found);
  };

  for (const [what, filter, expected] of [
    ['equal numbers', term('version', '$eq', 2), ['beta']],
    ['equal texts', term('version', '$eq', '2'), ['delta']],
    ['any element', term('tags', '$eq', 'y'), ['alpha', 'beta']],
    ['unequal or missing', term('tags', '$ne', 'x'), ['beta', 'delta', 'gamma']],
    ['greater numbers', term('version', '$gt', 1), ['beta', 'gamma']],
    ['at least', term('version', '$gte', 2), ['beta', 'gamma']],
    ['smaller numbers', term('version', '$lt', 2), ['alpha']],
    ['at most', term('version', '$lte', 2), ['alpha', 'beta']],
    ['smaller texts', term('os', '$lt', 'debian'), ['delta']],
    ['less or missing', term('load', '$ltne', 1), ['alpha', 'beta', 'delta', 'gamma']],
    ['one of', term('version', '$in', [1, '2']), ['alpha', 'delta']],
    ['none of', term('tags', '$nin', ['x']), ['beta', 'delta', 'gamma']],
    ['being there', term('load', '$exists', true), ['alpha']],
    ['being missing', term('load', '$exists', false), ['beta', 'delta', 'gamma']],
    ['a pattern, unanchored', term('os', '$regex', 'ebian'), ['alpha', 'delta', 'gamma']],
    ['a pattern, anchored', term('os', '$regex', '^debian$'), ['alpha']],
    ['the group', { scope: 'system', attribute: 'group', type: '$eq', value: 'b' }, ['beta']],
    [
      'the status',
      { scope: 'identity', attribute: 'status', type: '$ne', value: 'pending' },
      ['alpha', 'beta', 'delta', 'gamma'],
    ],
  ] as const) {
    it(`finds ${what}`, async () => assert.deepEqual(await find(filter), expected));
  }

  it('finds by device id, as a filter and as a list', async () => {
    const id = ids.get('gamma') ?? '';
    assert.deepEqual(await find({ scope: 'identity', attribute: 'id', type: '$eq', value: id }), ['gamma']);
    assert.deepEqual(
      await find({ scope: 'identity', attribute: 'id', type: '$regex', value: `^${id.slice(0, 12)}` }),
      ['gamma'],
    );
    assert.deepEqual(known(await asUser('POST', `${v2}/filters/search`, { device_ids: [id, 'unknown'] })), [
      'gamma',
    ]);
  });

  it('finds words of a text in identity, inventory, tags and group', async () => {
    for (const [text, expected] of [
      ['yocto', ['beta']],
      ['gamma, alpha!', ['alpha', 'gamma']],
      ['nowhere', []],
    ] as const) {
      const sort = [{ scope: 'identity', attribute: 'fleet', order: 'asc' }];
      assert.deepEqual(known(await asUser('POST', `${v2}/filters/search`, { text, sort })), expected);
    }
  });

  it('finds a device by the words it has now, and by no others', async () => {
    const { id, token } = await acceptedDevice(server, { serial: 'Zx81' });
    const finds = async (text: string) =>
      idsOf(await asUser('POST', `${v2}/filters/search`, { text })).includes(id);
    const found = async (...words: string[]) => {
      const are = await Promise.all(words.map(finds));
      return words.filter((_, index) => are[index]);
    };
    const report = (body: object) => server.request('PUT', reporting, { token, body });
    assert.deepEqual(await found('zX8', id.slice(0, 8), 'sinclair'), ['zX8', id.slice(0, 8)]);
    await report([
      { name: 'maker', value: ['Sinclair', 'Timex'] },
      { name: 'ram', value: 1024 },
    ]);
    await asUser('PUT', `${v1}/devices/${id}/tags`, [{ name: 'place', value: 'attic' }]);
    await asUser('PUT', `${v1}/devices/${id}/group`, { group: 'museum' });
    assert.deepEqual(
      await found('zx81', 'timex', 'attic', 'museum', '1024', 'sinclairtimex', 'maker'),
      ['zx81', 'timex', 'attic', 'museum'],
      'texts, not numbers, and none across two of them',
    );
    await report([{ name: 'maker', value: 'Amstrad' }]);
    await asUser('PUT', `${v1}/devices/${id}/tags`, []);
    await asUser('DELETE', `${v1}/devices/${id}/group/museum`);
    assert.deepEqual(await found('sinclair', 'attic', 'museum', 'amstrad'), ['amstrad']);
    await asUser('DELETE', `${v1}/devices/${id}`);
    assert.deepEqual(await found('amstrad', 'zx81'), ['zx81']);
  });

  it('sorts missing before numbers before texts, and pages with a total and no links', async () => {
    const sort = [
      { scope: 'inventory', attribute: 'version', order: 'asc' },
      { scope: 'identity', attribute: 'fleet', order: 'desc' },
    ];
    const filters = [inFleet];
    const all = await asUser('POST', `${v2}/filters/search`, { filters, sort });
    assert.deepEqual(known(all), ['alpha', 'beta', 'gamma', 'delta']);
    assert.equal(all.headers['x-total-count'], '5');
    assert.equal(all.headers['link'], undefined);
    const second = await asUser('POST', `${v2}/filters/search`, { filters, sort, page: 2, per_page: 2 });
    assert.deepEqual(idsOf(second), idsOf(all).slice(2, 4));
  });

  it('gives only the attributes asked for, and updated_ts', async () => {
    const { json } = await asUser('POST', `${v2}/filters/search`, {
      device_ids: [ids.get('alpha')],
      attributes: [{ scope: 'inventory', attribute: 'os' }],
    });
    const [found] = json as { attributes: AttributeJson[] }[];
    assert.deepEqual(
      found?.attributes.map(({ scope, name }) => `${scope}/${name}`),
      ['inventory/os', 'system/updated_ts'],
    );
  });

  for (const [what, body, message] of [
    [
      'an unknown scope',
      { filters: [{ ...inFleet, scope: 'x' }] },
      /^scope: must be one of system, identity, inventory, monitor, tags.$/,
    ],
    ['an unknown operator', { filters: [{ ...inFleet, type: '$where' }] }, /^type: must be one of/],
    ['null', { filters: [{ ...inFleet, type: '$eq', value: null }] }, /^value: /],
    ['a list where none goes', { filters: [term('a', '$eq', ['x'])] }, /^value: /],
    ['a text where a list goes', { filters: [term('a', '$in', 'x')] }, /^value: /],
    [
      'a pattern that is none',
      { filters: [term('os', '$regex', '(')] },
      /^value: is not a regular expression/,
    ],
    ['too large a page', { per_page: 501 }, /per_page/],
  ] as const) {
    it(`is 400 for ${what}`, async () => {
      const answer = await asUser('POST', `${v2}/filters/search`, body);
      assert.equal(answer.status, 400);
      assert.match(errorOf(answer), message);
    });
  }

  it('v1: filters by any key, loosely by type; sorts downwards unless told otherwise', async () => {
    const list = async (query: string) => known(await asUser('GET', `${v1}/devices?${query}`));
    assert.deepEqual((await list('version=2')).toSorted(), ['beta', 'delta']);
    assert.deepEqual(await list('version=eq:10'), ['gamma']);
    assert.deepEqual(await list('identity/fleet=alpha&os=debian'), ['alpha']);
    assert.deepEqual(await list('group=b'), ['beta']);
    assert.deepEqual(await list('has_group=true'), ['beta']);
    assert.deepEqual(await list('tags=y&sort=identity/fleet'), ['beta', 'alpha']);
    assert.deepEqual(await list('tags=y&sort=identity/fleet:asc'), ['alpha', 'beta']);
    assert.equal((await asUser('GET', `${v1}/devices?sort=a:up`)).status, 400);
    assert.equal((await asUser('GET', `/api/0.1.0/devices?group=b`)).status, 200);
  });

  it('names the attributes there are, and counts by status', async () => {
    const names = (await asUser('GET', `${v2}/filters/attributes`)).json as {
      name: string;
      scope: string;
      count: number;
    }[];
    assert.deepEqual(
      names.find(({ name }) => name === 'load'),
      { name: 'load', scope: 'inventory', count: 1 },
    );
    assert.equal(names.find(({ name }) => name === 'tags')?.count, 2, 'devices, not elements');
    const counts = names.map(({ count }) => count);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => b - a),
    );
    const { json } = await asUser('GET', `${v2}/statistics`);
    const { devices_by_status: byStatus } = json as {
      devices_by_status: Record<string, { standard: number }>;
    };
    assert.equal(byStatus['pending']?.standard, 1);
    assert.ok((byStatus['accepted']?.standard ?? 0) > 4);
  });

  it('counts the accepted devices by the values of an attribute', async () => {
    const path = '/api/tandem/v1/inventory/values?scope=inventory&attribute';
    const { json } = await asUser('GET', `${path}=load`);
    assert.deepEqual(json, { values: [{ value: '0.5', count: 1 }], devices: 1 });
    const none = await asUser('GET', `${path}=no-such`);
    assert.deepEqual(none.json, { values: [], devices: 0 });
    assert.equal((await asUser('GET', '/api/tandem/v1/inventory/values?scope=x&attribute=y')).status, 400);
  });
});
