/** What the list of releases shows, from the address. */
export interface ReleaseAddress {
  readonly page?: number;
  readonly name?: string;
  readonly tag?: string;
}

export function readReleaseAddress(search: Readonly<Record<string, unknown>>): ReleaseAddress {
  const page = Number(search['page']);
  const { name, tag } = search;
  return {
    ...(Number.isSafeInteger(page) && page > 1 ? { page } : {}),
    ...(typeof name === 'string' && name !== '' ? { name } : {}),
    ...(typeof tag === 'string' && tag !== '' ? { tag } : {}),
  };
}
