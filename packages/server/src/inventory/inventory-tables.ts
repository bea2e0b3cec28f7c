import type { AttributeScope } from '@tandem/api';

export interface InventoryTables {
  inventory_devices: {
    tenant: string;
    id: string;
    /** Changes with every write of the tags; null until the first. */
    tags_etag: string | null;
  };
  /** One row per value: an array has one per element (position 0, 1, …), an empty array one without a value. */
  inventory_values: {
    tenant: string;
    device_id: string;
    scope: AttributeScope;
    name: string;
    position: number;
    is_array: 0 | 1;
    text_value: string | null;
    number_value: number | null;
    description: string | null;
    time: number | null;
  };
  /** One row a device: what free text is searched in, line by line. */
  inventory_texts: {
    tenant: string;
    device_id: string;
    texts: string;
  };
}
