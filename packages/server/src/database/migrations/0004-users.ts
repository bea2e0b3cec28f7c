export const users = {
  name: 'users',
  // An e-mail address belongs to one tenant: it is all that a login knows.
  sql: `
    CREATE TABLE users (
      tenant        TEXT NOT NULL REFERENCES tenants (id),
      id            TEXT NOT NULL,
      email         TEXT NOT NULL UNIQUE,
      password_hash TEXT NOT NULL,
      created       INTEGER NOT NULL,
      updated       INTEGER NOT NULL,
      login         INTEGER,
      PRIMARY KEY (tenant, id)
    ) STRICT;

    CREATE TABLE first_administrators (
      tenant  TEXT PRIMARY KEY REFERENCES tenants (id),
      user_id TEXT NOT NULL,
      created INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE user_tokens (
      tenant    TEXT NOT NULL,
      id        TEXT NOT NULL,
      user_id   TEXT NOT NULL,
      kind      TEXT NOT NULL,
      name      TEXT,
      created   INTEGER NOT NULL,
      expires   INTEGER,
      last_used INTEGER,
      PRIMARY KEY (tenant, id),
      UNIQUE (tenant, user_id, name),
      FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, id) ON DELETE CASCADE
    ) STRICT;

    CREATE TABLE settings (
      tenant  TEXT NOT NULL REFERENCES tenants (id),
      user_id TEXT NOT NULL,
      etag    TEXT NOT NULL,
      value   TEXT NOT NULL,
      PRIMARY KEY (tenant, user_id)
    ) STRICT;
  `,
};
