import type { Actor } from '../actor.ts';
import type { Reader } from '../database/tables.ts';
import { inventoryStore } from './inventory-store.ts';

/** What devices last reported of themselves by these names, single values as texts; a device that never did is left out. */
export async function reportedTexts(
  reader: Reader,
  { tenant }: Actor,
  deviceIds: readonly string[],
  names: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const found = new Map<string, Record<string, string>>();
  for (const { deviceId, name, value } of await inventoryStore
    .forTenant(tenant)
    .singleValues(reader, deviceIds, 'inventory', names)) {
    const texts = found.get(deviceId) ?? {};
    texts[name] = String(value);
    found.set(deviceId, texts);
  }
  return found;
}
