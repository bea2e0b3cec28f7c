import { useQuery } from '@tanstack/react-query';
import { searchInventory } from '@tandem/api';
import { call } from '../../api/call.ts';
import { deviceName } from './attribute-text.ts';

/**
 * What people call the devices of one page, asked for in one question. Until it is answered, and for a device that the inventory
 * does not know (any more), the id stands for the name.
 */
export function useDeviceNames(ids: readonly string[]): (id: string) => string {
  // Sorted: the same devices in another order are the same question.
  const asked = ids.toSorted();
  const { data } = useQuery({
    queryKey: ['inventory', 'names', asked],
    queryFn: async ({ signal }) => {
      const body = { device_ids: asked, per_page: asked.length };
      const found = (await call(searchInventory, { body, signal })).body;
      return new Map(found.map((device) => [device.id, deviceName(device)]));
    },
    enabled: asked.length > 0,
  });
  return (id) => data?.get(id) ?? id;
}
