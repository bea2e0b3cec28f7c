export const releases = {
  name: 'releases',
  sql: `
    CREATE TABLE artifacts (
      tenant      TEXT NOT NULL REFERENCES tenants (id),
      id          TEXT NOT NULL,
      name        TEXT NOT NULL,
      description TEXT NOT NULL,
      size_bytes  INTEGER NOT NULL,
      modified    INTEGER NOT NULL,
      deleted     INTEGER,
      facts       TEXT NOT NULL,
      PRIMARY KEY (tenant, id)
    ) STRICT;
    CREATE INDEX artifacts_by_name ON artifacts (tenant, name, id) WHERE deleted IS NULL;

    CREATE TABLE artifact_depends (
      tenant      TEXT NOT NULL,
      name        TEXT NOT NULL,
      combination TEXT NOT NULL,
      artifact_id TEXT NOT NULL,
      PRIMARY KEY (tenant, name, combination),
      FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX artifact_depends_by_artifact ON artifact_depends (tenant, artifact_id);

    CREATE TABLE artifact_device_types (
      tenant      TEXT NOT NULL,
      artifact_id TEXT NOT NULL,
      device_type TEXT NOT NULL,
      PRIMARY KEY (tenant, artifact_id, device_type),
      FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE artifact_payload_types (
      tenant       TEXT NOT NULL,
      artifact_id  TEXT NOT NULL,
      payload_type TEXT NOT NULL,
      PRIMARY KEY (tenant, artifact_id, payload_type),
      FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE releases (
      tenant          TEXT NOT NULL REFERENCES tenants (id),
      name            TEXT NOT NULL,
      kind            TEXT NOT NULL,
      notes           TEXT NOT NULL,
      modified        INTEGER NOT NULL,
      artifacts_count INTEGER NOT NULL,
      PRIMARY KEY (tenant, name)
    ) STRICT;

    CREATE TABLE release_tags (
      tenant       TEXT NOT NULL,
      release_name TEXT NOT NULL,
      tag          TEXT NOT NULL,
      PRIMARY KEY (tenant, release_name, tag),
      FOREIGN KEY (tenant, release_name) REFERENCES releases (tenant, name) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX release_tags_by_tag ON release_tags (tenant, tag);
  `,
};
