import { useQuery } from '@tanstack/react-query';
import { listFilterAttributes } from '@tandem/api';
import { call } from '../../api/call.ts';

/** The attributes that devices have, as `scope/name`, the most frequent first; none while they are not known. */
export const useFilterAttributes = (): readonly string[] => useSettledFilterAttributes() ?? [];

/** The same; undefined until the server has told, or could not. */
export function useSettledFilterAttributes(): readonly string[] | undefined {
  const { data, isPending } = useQuery({
    queryKey: ['inventory', 'attributes'],
    queryFn: async ({ signal }) => (await call(listFilterAttributes, { signal })).body,
  });
  if (isPending) return undefined;
  return data?.map(({ scope, name }) => `${scope}/${name}`) ?? [];
}
