import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { acceptedDevice, startWholeServer, type WholeServer } from '../testing/whole-server.ts';

const reporting = '/api/devices/v1/inventory/device/attributes';
const search = '/api/management/v2/inventory/filters/search';

/** By rising value: nothing, numbers, texts; of an array what counts is its least upwards, its greatest downwards. */
const reported = [
  { up: undefined, down: undefined, value: undefined },
  { up: undefined, down: undefined, value: [] },
  { up: -1.5, down: -1.5, value: -1.5 },
  { up: 2, down: 2, value: 2 },
  { up: 2, down: 2, value: 2 },
  { up: 1, down: 11, value: [7, 1, 11] },
  { up: 10, down: 10, value: [10, 10] },
  { up: '', down: '', value: '' },
  { up: 'B', down: 'B', value: 'B' },
  { up: 'a', down: 'a', value: 'a' },
  { up: 'aa', down: 'c', value: ['c', 'aa', 'b'] },
  { up: 'é', down: 'é', value: 'é' },
] as const;
type Key = string | number | undefined;

const kindOf = (key: Key) => ['undefined', 'number', 'string'].indexOf(typeof key);
const rising = (a: Key, b: Key): number =>
  kindOf(a) - kindOf(b) ||
  (typeof a === 'number' && typeof b === 'number'
    ? a - b
    : Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))));

describe('devices in the order of an attribute', () => {
  let server: WholeServer;
  const devices: { id: string; up: Key; down: Key; isOdd: boolean }[] = [];
  before(async () => {
    server = await startWholeServer();
    for (const [number, { up, down, value }] of reported.entries()) {
      const { id, token } = await acceptedDevice(server, { sn: String(number) });
      const body = [
        { name: 'odd', value: String(number % 2) },
        ...(value === undefined ? [] : [{ name: 'load', value }]),
      ];
      assert.equal((await server.request('PATCH', reporting, { token, body })).status, 200);
      devices.push({ id, up, down, isOdd: number % 2 === 1 });
    }
  });
  after(() => server[Symbol.asyncDispose]());

  const pages = async (order: string, filters: readonly object[], perPage: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let page = 1; ; page += 1) {
      const sort = [{ scope: 'inventory', attribute: 'load', order }];
      const body = { sort, filters, page, per_page: perPage };
      const answer = await server.request('POST', search, { token: server.token, body });
      const found = (answer.json as { id: string }[]).map(({ id }) => id);
      ids.push(...found);
      assert.equal(answer.headers['x-total-count'], String(filters.length === 0 ? devices.length : 6));
      if (found.length < perPage) return ids;
    }
  };

  for (const order of ['asc', 'desc'] as const) {
    for (const isFiltered of [false, true]) {
      it(`${order}${isFiltered ? ', of those that match' : ''}, each once, however it is cut into pages`, async () => {
        const key = order === 'asc' ? 'up' : 'down';
        const expected = devices
          .filter(({ isOdd }) => isOdd || !isFiltered)
          .toSorted((a, b) => (order === 'asc' ? 1 : -1) * rising(a[key], b[key]) || (a.id < b.id ? -1 : 1))
          .map(({ id }) => id);
        const filters = isFiltered ? [{ scope: 'inventory', attribute: 'odd', type: '$eq', value: '1' }] : [];
        for (const perPage of [1, 3, 5, 20])
          assert.deepEqual(await pages(order, filters, perPage), expected, `${perPage} a page`);
      });
    }
  }

  it('does not lose one for a filter that is asked for twice, or turned round', async () => {
    const term = (type: string, value: unknown, attribute = 'odd') => ({
      scope: 'inventory',
      attribute,
      type,
      value,
    });
    for (const [filters, expected] of [
      [[term('$eq', '1'), term('$eq', '1')], 6],
      [[term('$eq', '1'), term('$ne', '1')], 0],
      [[term('$ne', '1')], 6],
      [[term('$ne', '1'), term('$nin', ['0'])], 0],
      [[term('$exists', false, 'load')], 1],
      [[term('$exists', true, 'load'), term('$exists', false, 'load')], 0],
      [[term('$eq', 10, 'load')], 1],
      [[term('$ltne', 3, 'load'), term('$eq', '1')], 2],
    ] as const) {
      const body = { filters, per_page: 1 };
      const { headers } = await server.request('POST', search, { token: server.token, body });
      assert.equal(headers['x-total-count'], String(expected), JSON.stringify(filters));
    }
  });
});
