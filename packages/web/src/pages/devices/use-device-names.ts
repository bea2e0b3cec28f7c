import { useQuery } from '@tanstack/react-query';
import { searchInventory } from '@tandem/api';
import { call } from '../../api/call.ts';
import { deviceName, nameAttributes } from './attribute-text.ts';
import { attributeOf } from './device-query.ts';
import { useFilterAttributes } from './use-filter-attributes.ts';

/**
 * What people call the devices of one page, asked for in one question. Until it is answered, and for a device that the inventory
 * does not know (any more), the id stands for the name.
 */
export function useDeviceNames(ids: readonly string[]): (id: string) => string {
  const attributes = nameAttributes(useFilterAttributes()).flatMap((column) => attributeOf(column) ?? []);
  // Sorted: the same devices in another order are the same question.
  const asked = ids.toSorted();
  const { data } = useQuery({
    queryKey: ['inventory', 'names', asked, attributes],
    queryFn: async ({ signal }) => {
      const body = { device_ids: asked, attributes, per_page: asked.length };
      const found = (await call(searchInventory, { body, signal })).body;
      return new Map(found.map((device) => [device.id, deviceName(device)]));
    },
    // Without attributes the server would tell all that it knows of each device.
    enabled: asked.length > 0 && attributes.length > 0,
  });
  return (id) => data?.get(id) ?? id;
}
