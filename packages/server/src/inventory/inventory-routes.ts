import {
  addGroupDevices,
  clearInventory,
  countAttributeValues,
  dissolveGroup,
  getDeviceGroup,
  getInventory,
  getInventoryStatistics,
  leaveDeviceGroup,
  listFilterAttributes,
  listGroupDevices,
  listGroups,
  listInventory,
  maxPerPage,
  pageOf,
  removeGroupDevices,
  replaceDeviceAttributes,
  replaceTags,
  searchInventory,
  setDeviceGroup,
  updateDeviceAttributes,
  updateTags,
  type InventoryDevice,
} from '@tandem/api';
import { pagingHeaders } from '../http/paging-headers.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { attributeView } from './attribute-rows.ts';
import type { InventoryEntry } from './inventory-store.ts';
import type { Counts, Inventory } from './inventory.ts';
import { readSort } from './search-inventory.ts';

/** Server contract 3. */
export function registerInventoryRoutes(register: RegisterRoute, inventory: Inventory): void {
  register(replaceDeviceAttributes, async ({ actor, body }) => {
    await inventory.report(actor.tenant, actor.subject.id, body, 'replace');
    return { status: 200 };
  });

  register(updateDeviceAttributes, async ({ actor, body }) => {
    await inventory.report(actor.tenant, actor.subject.id, body, 'update');
    return { status: 200 };
  });

  register(listInventory, async ({ actor, query, url, signal }) => {
    const { page: _page, per_page: _perPage, sort, group, has_group: hasGroup, ...others } = query;
    const page = pageOf(query);
    const attributes = Object.entries<unknown>(others).flatMap(([key, values]) =>
      Array.isArray(values) ? values.map((value) => [key, String(value)] as const) : [],
    );
    const order = sort === undefined || sort === '' ? [] : [readSort(sort)];
    const filter = { attributes, group, hasGroup };
    const { devices, total } = await inventory.list(actor, filter, order, page, signal);
    return { status: 200, headers: pagingHeaders(url, page, { total }), body: devices.map(deviceView) };
  });

  register(getInventory, async ({ actor, params }) => {
    const device = await inventory.get(actor, params.id);
    if (device === undefined) throw new ServerError('notFound', 'Device not found');
    return {
      status: 200,
      headers: device.etag === null ? {} : { etag: device.etag },
      body: deviceView(device),
    };
  });

  register(clearInventory, async ({ actor, params }) => {
    await inventory.clear(actor, params.id);
    return { status: 204 };
  });

  register(replaceTags, async ({ actor, params, body, headers }) => {
    await inventory.setTags(actor, params.id, body, 'replace', headers['if-match']);
    return { status: 200 };
  });

  register(updateTags, async ({ actor, params, body, headers }) => {
    await inventory.setTags(actor, params.id, body, 'update', headers['if-match']);
    return { status: 200 };
  });

  register(getDeviceGroup, async ({ actor, params }) => {
    const group = await inventory.group(actor, params.id);
    if (group === undefined) throw new ServerError('notFound', 'Device not found');
    return { status: 200, body: { group } };
  });

  register(setDeviceGroup, async ({ actor, params, body }) => {
    await inventory.setGroup(actor, params.id, body.group);
    return { status: 204 };
  });

  register(leaveDeviceGroup, async ({ actor, params }) => {
    await inventory.leaveGroup(actor, params.id, params.name);
    return { status: 204 };
  });

  register(listGroups, async ({ actor, query, signal }) => ({
    status: 200,
    body: await inventory.groups(actor, query.status, signal),
  }));

  register(listGroupDevices, async ({ actor, params, query, url, signal }) => {
    const page = pageOf(query);
    const { ids, total } = await inventory.groupDevices(actor, params.name, page, signal);
    return { status: 200, headers: pagingHeaders(url, page, { total }), body: ids };
  });

  register(addGroupDevices, async ({ actor, params, body }) => ({
    status: 200,
    body: countsView(await inventory.addToGroup(actor, body, params.name)),
  }));

  register(removeGroupDevices, async ({ actor, params, body }) => ({
    status: 200,
    body: countsView(await inventory.removeFromGroup(actor, body, params.name)),
  }));

  register(dissolveGroup, async ({ actor, params }) => ({
    status: 200,
    body: countsView(await inventory.dissolveGroup(actor, params.name)),
  }));

  register(searchInventory, async ({ actor, body, signal }) => {
    const page = pageOf({
      page: Math.max(1, body.page ?? 1),
      ...(body.per_page === undefined || body.per_page < 1
        ? {}
        : { per_page: Math.min(body.per_page, maxPerPage) }),
    });
    const { devices, total } = await inventory.search(actor, body, page, signal);
    return { status: 200, headers: { 'x-total-count': String(total) }, body: devices.map(deviceView) };
  });

  register(listFilterAttributes, async ({ actor, signal }) => ({
    status: 200,
    body: await inventory.filterAttributes(actor, signal),
  }));

  register(countAttributeValues, async ({ actor, query, signal }) => ({
    status: 200,
    body: await inventory.valueCounts(actor, query.scope, query.attribute, signal),
  }));

  register(getInventoryStatistics, async ({ actor, signal }) => {
    const byStatus: Record<string, { standard: number; micro: number; system: number }> = {};
    for (const { status, tier, count } of await inventory.statusCounts(actor, signal)) {
      const counts = (byStatus[status ?? ''] ??= { standard: 0, micro: 0, system: 0 });
      // A device without a tier is a standard one.
      counts[tier === 'micro' || tier === 'system' ? tier : 'standard'] += count;
    }
    return { status: 200, body: { devices_by_status: byStatus } };
  });
}

function deviceView({ id, attributes }: InventoryEntry): InventoryDevice {
  const updated = attributes.find(({ scope, name }) => scope === 'system' && name === 'updated_ts');
  return {
    id,
    attributes: attributes.map(attributeView),
    ...(updated === undefined ? {} : { updated_ts: String(updated.value) }),
  };
}

// Counts of zero are left out, as the reference does.
const countsView = ({ matched, updated }: Counts) => ({
  ...(matched === 0 ? {} : { matched_count: matched }),
  ...(updated === 0 ? {} : { updated_count: updated }),
});
