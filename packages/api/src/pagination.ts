import { Type } from 'typebox';

export const defaultPerPage = 20;
export const maxPerPage = 500;

/** Strict paging (server contract 1.5): what is out of range is answered with 400. Spread into a query schema. */
export const pagingQuery = {
  page: Type.Optional(Type.Integer({ minimum: 1, default: 1 })),
  per_page: Type.Optional(Type.Integer({ minimum: 1, maximum: maxPerPage, default: defaultPerPage })),
};

/** Lenient paging: bad or missing values silently become page 1 with 20 rows. */
export const lenientPagingQuery = {
  page: Type.Optional(Type.String({ description: 'a positive integer; anything else means 1' })),
  per_page: Type.Optional(Type.String({ description: '1 to 500; anything else means 20' })),
};

export interface Page {
  /** From 1. */
  readonly page: number;
  readonly perPage: number;
  /** Rows before this page. */
  readonly offset: number;
}

export const pageOf = (query: { page?: number; per_page?: number }): Page => {
  const page = query.page ?? 1;
  const perPage = query.per_page ?? defaultPerPage;
  return { page, perPage, offset: (page - 1) * perPage };
};

export const lenientPageOf = (query: { page?: string; per_page?: string }): Page => {
  const positive = (value: string | undefined) =>
    /^[1-9][0-9]{0,8}$/.test(value ?? '') ? Number(value) : undefined;
  const perPage = positive(query.per_page);
  return pageOf({
    page: positive(query.page) ?? 1,
    per_page: perPage === undefined || perPage > maxPerPage ? defaultPerPage : perPage,
  });
};

/** How much there is beyond this page: the total where it is counted, otherwise whether one more row was seen. */
export type Extent = { readonly total: number } | { readonly hasMore: boolean };

/**
 * The Link header's lines, one a relation, in the order first, prev, next, last (server contract 1.5 and 16.2): path and query
 * only, keys sorted, `per_page` always there.
 */
export function linkHeader(pathAndQuery: string, { page, perPage }: Page, extent: Extent): string[] {
  const { pathname, searchParams } = new URL(pathAndQuery, 'http://any');
  const link = (relation: string, target: number) => {
    const query = new URLSearchParams(searchParams);
    query.set('page', String(target));
    query.set('per_page', String(perPage));
    query.sort();
    return `<${pathname}?${query.toString()}>; rel="${relation}"`;
  };
  const last = 'total' in extent && extent.total > 0 ? Math.ceil(extent.total / perPage) : undefined;
  const hasNext = last === undefined ? 'hasMore' in extent && extent.hasMore : page < last;
  return [
    link('first', 1),
    ...(page > 1 ? [link('prev', page - 1)] : []),
    ...(hasNext ? [link('next', page + 1)] : []),
    ...(last === undefined ? [] : [link('last', last)]),
  ];
}
