import { useQuery } from '@tanstack/react-query';
import { listFilterAttributes } from '@tandem/api';
import { call } from '../../api/call.ts';

/**
 * The attributes that devices have, as `scope/name`, the most frequent first; none while they are not known. The server is asked only
 * where `isWanted`: to look through a large fleet for them takes as long as a search of it.
 */
export function useFilterAttributes(isWanted: boolean): readonly string[] {
  const { data } = useQuery({
    queryKey: ['inventory', 'attributes'],
    queryFn: async ({ signal }) => (await call(listFilterAttributes, { signal })).body,
    enabled: isWanted,
  });
  return data?.map(({ scope, name }) => `${scope}/${name}`) ?? [];
}
