export const statusReports = {
  name: 'status reports',
  sql: `
    CREATE TABLE device_status_reports (
      tenant        TEXT NOT NULL,
      deployment_id TEXT NOT NULL,
      device_id     TEXT NOT NULL,
      attempt       INTEGER NOT NULL,
      position      INTEGER NOT NULL,
      status        TEXT NOT NULL,
      substate      TEXT,
      time          INTEGER NOT NULL,
      PRIMARY KEY (tenant, deployment_id, device_id, attempt, position),
      FOREIGN KEY (tenant, deployment_id, device_id, attempt)
        REFERENCES device_deployments (tenant, deployment_id, device_id, attempt) ON DELETE CASCADE
    ) STRICT;
  `,
};
