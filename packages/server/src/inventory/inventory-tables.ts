export interface InventoryTables {
  inventory_devices: {
    tenant: string;
    id: string;
    group_name: string | null;
    /** Changes with every write of the tags; null until the first. */
    tags_etag: string | null;
    created: number;
    /** Last change of what the device itself reported; null before its first report. */
    updated: number | null;
  };
  /** One row per value: an array has one per element (position 0, 1, …), an empty array one row without a value. */
  inventory_values: {
    tenant: string;
    device_id: string;
    scope: string;
    name: string;
    position: number;
    is_array: 0 | 1;
    text_value: string | null;
    number_value: number | null;
    description: string | null;
    time: number | null;
  };
}
