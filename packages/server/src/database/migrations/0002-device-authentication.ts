export const deviceAuthentication = {
  name: 'device authentication',
  sql: `
    CREATE TABLE devices (
      tenant          TEXT NOT NULL REFERENCES tenants (id),
      id              TEXT NOT NULL,
      id_data         TEXT NOT NULL,
      id_data_hash    TEXT NOT NULL,
      status          TEXT NOT NULL,
      decommissioning INTEGER NOT NULL,
      created         INTEGER NOT NULL,
      updated         INTEGER NOT NULL,
      check_in_time   INTEGER,
      PRIMARY KEY (tenant, id),
      UNIQUE (tenant, id_data_hash)
    ) STRICT;
    CREATE INDEX devices_by_status ON devices (tenant, status, id);

    CREATE TABLE auth_sets (
      tenant       TEXT NOT NULL,
      id           TEXT NOT NULL,
      device_id    TEXT NOT NULL,
      id_data      TEXT NOT NULL,
      id_data_hash TEXT NOT NULL,
      pubkey       TEXT NOT NULL,
      status       TEXT NOT NULL,
      created      INTEGER NOT NULL,
      PRIMARY KEY (tenant, id),
      UNIQUE (tenant, id_data_hash, pubkey),
      FOREIGN KEY (tenant, device_id) REFERENCES devices (tenant, id) ON DELETE CASCADE
    ) STRICT;
    CREATE INDEX auth_sets_by_device ON auth_sets (tenant, device_id);

    CREATE TABLE device_tokens (
      tenant    TEXT NOT NULL,
      id        TEXT NOT NULL,
      device_id TEXT NOT NULL,
      expires   INTEGER NOT NULL,
      PRIMARY KEY (tenant, id),
      FOREIGN KEY (tenant, id) REFERENCES auth_sets (tenant, id) ON DELETE CASCADE
    ) STRICT;

    CREATE TABLE device_limits (
      tenant TEXT NOT NULL REFERENCES tenants (id),
      name   TEXT NOT NULL,
      value  INTEGER NOT NULL,
      PRIMARY KEY (tenant, name)
    ) STRICT;
  `,
};
