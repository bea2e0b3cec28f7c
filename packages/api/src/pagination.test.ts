import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lenientPageOf, linkHeader, pageOf } from './pagination.ts';

describe('the Link header', () => {
  // The worked example of the server contract, 16.2.
  it('names first, prev, next and last when the total is known', () => {
    const path = '/api/management/v1/inventory/devices';
    const page = pageOf({ page: 2, per_page: 2 });
    assert.deepEqual(linkHeader(`${path}?per_page=2&page=2&group=x`, page, { total: 5 }), [
      `<${path}?group=x&page=1&per_page=2>; rel="first"`,
      `<${path}?group=x&page=1&per_page=2>; rel="prev"`,
      `<${path}?group=x&page=3&per_page=2>; rel="next"`,
      `<${path}?group=x&page=3&per_page=2>; rel="last"`,
    ]);
  });

  for (const [what, page, extent, relations] of [
    ['on the last page', 3, { total: 5 }, ['first', 'prev', 'last']],
    ['on the only page', 1, { total: 2 }, ['first', 'last']],
    ['when there is nothing', 1, { total: 0 }, ['first']],
    ['without a total, at the end', 2, { hasMore: false }, ['first', 'prev']],
    ['without a total, with more', 1, { hasMore: true }, ['first', 'next']],
  ] as const) {
    it(`has ${relations.join(', ')} ${what}`, () => {
      const lines = linkHeader('/x', pageOf({ page, per_page: 2 }), extent);
      assert.deepEqual(
        lines.map((line) => /rel="(\w+)"$/.exec(line)?.[1]),
        relations,
      );
      assert.ok(lines.every((line) => line.includes('per_page=2')));
    });
  }
});

it('lenient paging takes anything and gives page 1 with 20 for what is none', () => {
  for (const [query, page, perPage] of [
    [{}, 1, 20],
    [{ page: 'x', per_page: '-1' }, 1, 20],
    [{ page: '0', per_page: '501' }, 1, 20],
    [{ page: '3', per_page: '500' }, 3, 500],
  ] as const) {
    assert.deepEqual(lenientPageOf(query), { page, perPage, offset: (page - 1) * perPage });
  }
});
