export const storedObjects = {
  name: 'stored objects',
  sql: `
    CREATE TABLE artifact_objects (
      tenant      TEXT NOT NULL,
      artifact_id TEXT NOT NULL,
      object_id   TEXT NOT NULL,
      sha256      TEXT NOT NULL,
      PRIMARY KEY (tenant, artifact_id),
      FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX artifact_objects_by_object ON artifact_objects (tenant, object_id);

    CREATE TABLE direct_uploads (
      tenant    TEXT NOT NULL REFERENCES tenants (id),
      id        TEXT NOT NULL,
      requested INTEGER NOT NULL,
      completed INTEGER,
      attempts  INTEGER NOT NULL,
      PRIMARY KEY (tenant, id)
    ) STRICT;
  `,
};
