export const deviceConfigurations = {
  name: 'device configurations',
  // Every device that is accepted has a row, from its acceptance on: so have those that were accepted before.
  sql: `
    CREATE TABLE device_configurations (
      tenant        TEXT NOT NULL REFERENCES tenants (id),
      device_id     TEXT NOT NULL,
      configured    TEXT NOT NULL,
      reported      TEXT NOT NULL,
      deployment_id TEXT,
      updated       INTEGER NOT NULL,
      reported_at   INTEGER,
      PRIMARY KEY (tenant, device_id)
    ) STRICT;

    INSERT INTO device_configurations (tenant, device_id, configured, reported, updated)
      SELECT tenant, id, '{}', '{}', updated FROM devices WHERE status = 'accepted';

    CREATE TABLE deployment_configurations (
      tenant        TEXT NOT NULL,
      deployment_id TEXT NOT NULL,
      configuration TEXT NOT NULL,
      PRIMARY KEY (tenant, deployment_id),
      FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
    ) STRICT;
  `,
};
