import { decommissionDevice, listDevices, setAuthSetStatus } from '@tandem/api';
import { call } from '../../api/call.ts';

/** So many requests at once: the browser opens few connections anyway. */
const atOnce = 6;
/** Ids in one address. */
const idsAtOnce = 50;

/**
 * Accepts or rejects devices by the auth set each came with last. Goes on after a failure, and throws the first one when all was
 * tried: what could be done is done.
 */
export async function setDeviceStatus(
  ids: readonly string[],
  status: 'accepted' | 'rejected',
): Promise<void> {
  const devices = [];
  for (let start = 0; start < ids.length; start += idsAtOnce) {
    const some = ids.slice(start, start + idsAtOnce);
    devices.push(...(await call(listDevices, { query: { id: some, per_page: idsAtOnce } })).body);
  }
  await forEach(devices, async ({ id, auth_sets }) => {
    const latest = auth_sets?.toSorted((one, other) => Date.parse(other.ts) - Date.parse(one.ts))[0];
    if (latest !== undefined && latest.status !== status) {
      await call(setAuthSetStatus, { params: { id, aid: latest.id }, body: { status } });
    }
  });
}

export const decommissionDevices = (ids: readonly string[]): Promise<void> =>
  forEach(ids, async (id) => void (await call(decommissionDevice, { params: { id } })));

async function forEach<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const item of waiting) {
      try {
        await act(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0) throw failures[0];
}
