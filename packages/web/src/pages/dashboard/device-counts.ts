import { useQuery } from '@tanstack/react-query';
import { getInventoryStatistics } from '@tandem/api';
import { call } from '../../api/call.ts';

/** How many devices there are by status, in one question. */
export const useDeviceCounts = () =>
  useQuery({
    queryKey: ['inventory', 'statistics'],
    queryFn: async ({ signal }) => {
      const { body } = await call(getInventoryStatistics, { signal });
      return Object.fromEntries(
        Object.entries(body.devices_by_status).map(([status, tiers]) => [
          status,
          tiers.standard + tiers.micro + tiers.system,
        ]),
      );
    },
  });
