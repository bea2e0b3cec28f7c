import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, defaultColumns, readDeviceQuery, searchBodyOf } from './device-query.ts';

const edited = {
  page: 3,
  text: 'line 4',
  filters: [{ scope: 'inventory', attribute: 'mem_total_kB', type: '$gt', value: 512_000 }],
  sort: { column: 'inventory/artifact_name', order: 'desc' },
  columns: ['identity/mac', 'inventory/rootfs-image.version'],
};

test('an address brings back what was shown', () => {
  assert.deepEqual(addressOf(readDeviceQuery(edited)), edited);
});

test('the first look at the devices needs nothing in the address', () => {
  const query = readDeviceQuery({});
  assert.deepEqual(query.columns, defaultColumns);
  assert.deepEqual(addressOf(query), {});
});

test('what somebody broke in an address is left out, the rest stays', () => {
  const query = readDeviceQuery({
    ...edited,
    page: 'minus one',
    filters: [
      ...edited.filters,
      { scope: 'inventory' },
      'x',
      { scope: 'a', attribute: 'b', type: '$evil', value: 1 },
    ],
    columns: ['nowhere/x', 'tags/'],
    sort: { column: 'inventory/a', order: 'sideways' },
  });
  assert.equal(query.page, 1);
  assert.deepEqual(query.filters, edited.filters);
  assert.deepEqual(query.columns, defaultColumns);
  assert.equal(query.sort, undefined);
});

test('the server is asked for one page', () => {
  assert.deepEqual(searchBodyOf(readDeviceQuery(edited)), {
    page: 3,
    per_page: 100,
    text: 'line 4',
    filters: edited.filters,
    sort: [{ scope: 'inventory', attribute: 'artifact_name', order: 'desc' }],
  });
});
