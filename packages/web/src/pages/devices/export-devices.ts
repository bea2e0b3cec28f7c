import { maxPerPage, searchInventory } from '@tandem/api';
import { call } from '../../api/call.ts';
import { saveFile } from '../../components/save-file.ts';
import { attributeText } from './attribute-text.ts';
import { attributeOf, searchBodyOf, type DeviceQuery } from './device-query.ts';
import { csvLine } from './csv.ts';

/** Asks for page after page, so that no answer is larger than a page, and offers the whole as a file. */
export async function exportDevices(query: DeviceQuery): Promise<void> {
  const parts = [csvLine(['id', ...query.columns])];
  let isLast = false;
  for (let page = 1; !isLast; page += 1) {
    const { body } = await call(searchInventory, {
      // By id, so that a device that reports meanwhile comes neither twice nor never.
      body: {
        ...searchBodyOf({ ...query, page, sort: undefined }),
        attributes: query.columns.flatMap((column) => attributeOf(column) ?? []),
        per_page: maxPerPage,
      },
    });
    for (const device of body) {
      parts.push(csvLine([device.id, ...query.columns.map((column) => attributeText(device, column))]));
    }
    isLast = body.length < maxPerPage;
  }
  saveFile('devices.csv', new Blob(parts, { type: 'text/csv' }));
}
