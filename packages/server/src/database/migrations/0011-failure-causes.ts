export const failureCauses = {
  name: 'failure causes',
  sql: `
    CREATE TABLE device_failure_causes (
      tenant        TEXT NOT NULL,
      deployment_id TEXT NOT NULL,
      device_id     TEXT NOT NULL,
      attempt       INTEGER NOT NULL,
      cause         TEXT NOT NULL,
      PRIMARY KEY (tenant, deployment_id, device_id, attempt),
      FOREIGN KEY (tenant, deployment_id, device_id, attempt)
        REFERENCES device_deployments (tenant, deployment_id, device_id, attempt) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
  `,
};
