import type { Actor } from '../actor.ts';
import type { Reader } from '../database/tables.ts';
import { inventoryStore } from './inventory-store.ts';

/** What devices last reported of themselves, single values as texts; a device that never did is left out. */
export async function reportedTexts(
  reader: Reader,
  { tenant }: Actor,
  deviceIds: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const found = await inventoryStore.forTenant(tenant).attributes(reader, deviceIds);
  return new Map(
    [...found].map(([id, attributes]) => [
      id,
      Object.fromEntries(
        attributes.flatMap(({ scope, name, value }) =>
          scope === 'inventory' && !Array.isArray(value) ? [[name, String(value)] as const] : [],
        ),
      ),
    ]),
  );
}
