export const deployments = {
  name: 'deployments',
  // A device that polls is answered from device_deployments_by_device, active_deployments and the targets' primary key.
  sql: `
    CREATE TABLE deployments (
      tenant             TEXT NOT NULL REFERENCES tenants (id),
      id                 TEXT NOT NULL,
      name               TEXT NOT NULL,
      artifact_name      TEXT NOT NULL,
      kind               TEXT NOT NULL,
      created            INTEGER NOT NULL,
      finished           INTEGER,
      aborted            INTEGER,
      status             TEXT NOT NULL,
      active             INTEGER NOT NULL,
      max_devices        INTEGER NOT NULL,
      device_count       INTEGER NOT NULL,
      force_installation INTEGER NOT NULL,
      target             TEXT NOT NULL,
      group_names        TEXT NOT NULL,
      fingerprint        TEXT,
      total_size_bytes   INTEGER NOT NULL,
      PRIMARY KEY (tenant, id),
      UNIQUE (tenant, created),
      UNIQUE (tenant, fingerprint)
    ) STRICT;
    CREATE INDEX active_deployments ON deployments (tenant, created) WHERE active = 1;
    CREATE INDEX deployments_by_name ON deployments (tenant, name);

    CREATE TABLE deployment_targets (
      tenant          TEXT NOT NULL,
      deployment_id   TEXT NOT NULL,
      first_device_id TEXT NOT NULL,
      last_device_id  TEXT NOT NULL,
      device_ids      TEXT NOT NULL,
      PRIMARY KEY (tenant, deployment_id, first_device_id),
      FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
    ) STRICT;

    CREATE TABLE deployment_phases (
      tenant        TEXT NOT NULL,
      deployment_id TEXT NOT NULL,
      phase         INTEGER NOT NULL,
      batch_size    INTEGER,
      starts        INTEGER NOT NULL,
      PRIMARY KEY (tenant, deployment_id, phase),
      FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE deployment_artifacts (
      tenant        TEXT NOT NULL,
      deployment_id TEXT NOT NULL,
      artifact_id   TEXT NOT NULL,
      PRIMARY KEY (tenant, deployment_id, artifact_id),
      FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deployment_artifacts_by_artifact ON deployment_artifacts (tenant, artifact_id);

    CREATE TABLE deployment_statistics (
      tenant        TEXT NOT NULL,
      deployment_id TEXT NOT NULL,
      status        TEXT NOT NULL,
      devices       INTEGER NOT NULL,
      PRIMARY KEY (tenant, deployment_id, status),
      FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE device_deployments (
      tenant             TEXT NOT NULL,
      deployment_id      TEXT NOT NULL,
      device_id          TEXT NOT NULL,
      attempt            INTEGER NOT NULL,
      deployment_created INTEGER NOT NULL,
      status             TEXT NOT NULL,
      active             INTEGER NOT NULL,
      started            INTEGER,
      finished           INTEGER,
      deleted            INTEGER,
      substate           TEXT,
      artifact_id        TEXT,
      request            TEXT,
      has_log            INTEGER NOT NULL,
      PRIMARY KEY (tenant, deployment_id, device_id, attempt),
      FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
    ) STRICT;
    CREATE INDEX device_deployments_by_device
      ON device_deployments (tenant, device_id, active, deployment_created);
    CREATE INDEX device_deployments_by_artifact
      ON device_deployments (tenant, artifact_id) WHERE artifact_id IS NOT NULL;

    CREATE TABLE device_deployment_logs (
      tenant        TEXT NOT NULL,
      deployment_id TEXT NOT NULL,
      device_id     TEXT NOT NULL,
      attempt       INTEGER NOT NULL,
      messages      TEXT NOT NULL,
      PRIMARY KEY (tenant, deployment_id, device_id, attempt),
      FOREIGN KEY (tenant, deployment_id, device_id, attempt)
        REFERENCES device_deployments (tenant, deployment_id, device_id, attempt) ON DELETE CASCADE
    ) STRICT;
  `,
};
