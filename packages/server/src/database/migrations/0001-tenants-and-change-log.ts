export const tenantsAndChangeLog = {
  name: 'tenants and change log',
  sql: `
    CREATE TABLE tenants (
      id      TEXT PRIMARY KEY,
      name    TEXT NOT NULL,
      created INTEGER NOT NULL
    ) STRICT;

    INSERT INTO tenants (id, name, created) VALUES ('000000000000000000000001', 'default', 0);

    CREATE TABLE change_log (
      tenant   TEXT NOT NULL REFERENCES tenants (id),
      sequence INTEGER PRIMARY KEY AUTOINCREMENT,
      kind     TEXT NOT NULL,
      ref      TEXT NOT NULL,
      actor    TEXT NOT NULL,
      time     INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX change_log_by_tenant ON change_log (tenant, sequence);
  `,
};
