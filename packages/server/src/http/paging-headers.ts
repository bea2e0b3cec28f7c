import { linkHeader, type Extent, type Page } from '@tandem/api';

/** Link and, where the total is known, X-Total-Count (server contract 1.5). */
export const pagingHeaders = (url: string, page: Page, extent: Extent) => ({
  link: linkHeader(url, page, extent),
  ...('total' in extent ? { 'x-total-count': String(extent.total) } : {}),
});

/** A page that was asked for with one row more than it holds: the rows, and whether there are more. */
export const cutPage = <T>(
  rows: readonly T[],
  { perPage }: Page,
): { rows: readonly T[]; hasMore: boolean } => ({
  rows: rows.slice(0, perPage),
  hasMore: rows.length > perPage,
});
