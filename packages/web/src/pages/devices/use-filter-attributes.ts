import { useQuery } from '@tanstack/react-query';
import { listFilterAttributes } from '@tandem/api';
import { call } from '../../api/call.ts';

/** The attributes that devices have, as `scope/name`, the most frequent first. */
export function useFilterAttributes(): readonly string[] {
  const { data } = useQuery({
    queryKey: ['inventory', 'attributes'],
    queryFn: async ({ signal }) => (await call(listFilterAttributes, { signal })).body,
  });
  return data?.map(({ scope, name }) => `${scope}/${name}`) ?? [];
}
