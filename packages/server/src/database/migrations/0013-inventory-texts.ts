export const inventoryTexts = {
  name: 'inventory texts',
  // One row a device, of what free text is searched in. What the server of the version before writes meanwhile is in it by the device's
  // next daily report.
  sql: `
    CREATE TABLE inventory_texts (
      tenant    TEXT NOT NULL,
      device_id TEXT NOT NULL,
      texts     TEXT NOT NULL,
      PRIMARY KEY (tenant, device_id),
      FOREIGN KEY (tenant, device_id) REFERENCES inventory_devices (tenant, id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    INSERT INTO inventory_texts (tenant, device_id, texts)
      SELECT device.tenant, device.id, device.id || '\n' || coalesce(told.texts, '')
      FROM inventory_devices AS device
      LEFT JOIN (
        SELECT v.tenant, v.device_id, string_agg(format('%s', v.text_value), '\n') AS texts FROM inventory_values AS v
        WHERE v.text_value IS NOT NULL
          AND (v.scope IN ('identity', 'inventory', 'tags') OR (v.scope = 'system' AND v.name = 'group'))
        GROUP BY v.tenant, v.device_id
      ) AS told ON told.tenant = device.tenant AND told.device_id = device.id;
  `,
};
