import type { InventoryDevice } from '@tandem/api';
import { attributeOf } from './device-query.ts';

/** The value of a column (`scope/name`) as it is shown; empty when the device has none. */
export function attributeText(device: InventoryDevice, column: string): string {
  const wanted = attributeOf(column);
  const found = device.attributes.find(
    ({ scope, name }) => scope === wanted?.scope && name === wanted.attribute,
  );
  if (found === undefined) return '';
  return Array.isArray(found.value) ? found.value.join(', ') : String(found.value);
}

const nameTag = 'tags/name';

/** What people call a device: a tag `name` where it has one, its first identity attribute, at last its id. */
export function deviceName(device: InventoryDevice): string {
  const named = attributeText(device, nameTag);
  if (named !== '') return named;
  const identity = device.attributes.find(({ scope, name }) => scope === 'identity' && name !== 'status');
  return identity === undefined ? device.id : String(identity.value);
}
