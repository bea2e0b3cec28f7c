export const artifactGenerations = {
  name: 'artifact generations',
  sql: `
    CREATE TABLE artifact_generations (
      tenant      TEXT NOT NULL REFERENCES tenants (id),
      artifact_id TEXT NOT NULL,
      name        TEXT NOT NULL,
      wanted      TEXT NOT NULL,
      requested   INTEGER NOT NULL,
      attempts    INTEGER NOT NULL,
      PRIMARY KEY (tenant, artifact_id)
    ) STRICT;
  `,
};
