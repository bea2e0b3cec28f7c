export const inventory = {
  name: 'inventory',
  // One row per value of an attribute: an array has one per element, an empty array one without a value. What the server itself
  // knows (system/group, system/updated_ts, identity/status, …) is kept the same way, so that there is one way to search.
  sql: `
    CREATE TABLE inventory_devices (
      tenant    TEXT NOT NULL REFERENCES tenants (id),
      id        TEXT NOT NULL,
      tags_etag TEXT,
      PRIMARY KEY (tenant, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE inventory_values (
      tenant       TEXT NOT NULL,
      device_id    TEXT NOT NULL,
      scope        TEXT NOT NULL,
      name         TEXT NOT NULL,
      position     INTEGER NOT NULL,
      is_array     INTEGER NOT NULL,
      text_value   TEXT,
      number_value REAL,
      description  TEXT,
      time         INTEGER,
      PRIMARY KEY (tenant, device_id, scope, name, position),
      FOREIGN KEY (tenant, device_id) REFERENCES inventory_devices (tenant, id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX inventory_by_text ON inventory_values (tenant, scope, name, text_value) WHERE text_value IS NOT NULL;
    CREATE INDEX inventory_by_number ON inventory_values (tenant, scope, name, number_value) WHERE number_value IS NOT NULL;
  `,
};
