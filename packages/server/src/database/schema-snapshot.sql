CREATE TABLE artifact_depends (
  tenant      TEXT NOT NULL,
  name        TEXT NOT NULL,
  combination TEXT NOT NULL,
  artifact_id TEXT NOT NULL,
  PRIMARY KEY (tenant, name, combination),
  FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact_device_types (
  tenant      TEXT NOT NULL,
  artifact_id TEXT NOT NULL,
  device_type TEXT NOT NULL,
  PRIMARY KEY (tenant, artifact_id, device_type),
  FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact_generations (
  tenant      TEXT NOT NULL REFERENCES tenants (id),
  artifact_id TEXT NOT NULL,
  name        TEXT NOT NULL,
  wanted      TEXT NOT NULL,
  requested   INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  PRIMARY KEY (tenant, artifact_id)
) STRICT;

CREATE TABLE artifact_objects (
  tenant      TEXT NOT NULL,
  artifact_id TEXT NOT NULL,
  object_id   TEXT NOT NULL,
  sha256      TEXT NOT NULL,
  PRIMARY KEY (tenant, artifact_id),
  FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact_payload_types (
  tenant       TEXT NOT NULL,
  artifact_id  TEXT NOT NULL,
  payload_type TEXT NOT NULL,
  PRIMARY KEY (tenant, artifact_id, payload_type),
  FOREIGN KEY (tenant, artifact_id) REFERENCES artifacts (tenant, id)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE change_log (
  tenant   TEXT NOT NULL REFERENCES tenants (id),
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     TEXT NOT NULL,
  ref      TEXT NOT NULL,
  actor    TEXT NOT NULL,
  time     INTEGER NOT NULL
) STRICT;

CREATE TABLE deployment_artifacts (
  tenant        TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  artifact_id   TEXT NOT NULL,
  PRIMARY KEY (tenant, deployment_id, artifact_id),
  FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment_configurations (
  tenant        TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  configuration TEXT NOT NULL,
  PRIMARY KEY (tenant, deployment_id),
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

CREATE TABLE deployment_statistics (
  tenant        TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  status        TEXT NOT NULL,
  devices       INTEGER NOT NULL,
  PRIMARY KEY (tenant, deployment_id, status),
  FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment_targets (
  tenant          TEXT NOT NULL,
  deployment_id   TEXT NOT NULL,
  first_device_id TEXT NOT NULL,
  last_device_id  TEXT NOT NULL,
  device_ids      TEXT NOT NULL,
  PRIMARY KEY (tenant, deployment_id, first_device_id),
  FOREIGN KEY (tenant, deployment_id) REFERENCES deployments (tenant, id) ON DELETE CASCADE
) STRICT;

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

CREATE TABLE device_check_ins (
  tenant    TEXT NOT NULL,
  device_id TEXT NOT NULL,
  time      INTEGER NOT NULL,
  told      INTEGER NOT NULL,
  PRIMARY KEY (tenant, device_id),
  FOREIGN KEY (tenant, device_id) REFERENCES devices (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

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

CREATE TABLE device_limits (
  tenant TEXT NOT NULL REFERENCES tenants (id),
  name   TEXT NOT NULL,
  value  INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT;

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

CREATE TABLE device_tokens (
  tenant    TEXT NOT NULL,
  id        TEXT NOT NULL,
  device_id TEXT NOT NULL,
  expires   INTEGER NOT NULL, digest TEXT, digest_expires INTEGER, signed_by TEXT,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, id) REFERENCES auth_sets (tenant, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE devices (
  tenant          TEXT NOT NULL REFERENCES tenants (id),
  id              TEXT NOT NULL,
  id_data         TEXT NOT NULL,
  id_data_hash    TEXT NOT NULL,
  status          TEXT NOT NULL,
  decommissioning INTEGER NOT NULL,
  created         INTEGER NOT NULL,
  updated         INTEGER NOT NULL,
  check_in_time   INTEGER, check_in_told INTEGER,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, id_data_hash)
) STRICT;

CREATE TABLE direct_uploads (
  tenant    TEXT NOT NULL REFERENCES tenants (id),
  id        TEXT NOT NULL,
  requested INTEGER NOT NULL,
  completed INTEGER,
  attempts  INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE first_administrators (
  tenant  TEXT PRIMARY KEY REFERENCES tenants (id),
  user_id TEXT NOT NULL,
  created INTEGER NOT NULL
) STRICT;

CREATE TABLE inventory_devices (
  tenant    TEXT NOT NULL REFERENCES tenants (id),
  id        TEXT NOT NULL,
  tags_etag TEXT,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE inventory_texts (
  tenant    TEXT NOT NULL,
  device_id TEXT NOT NULL,
  texts     TEXT NOT NULL,
  PRIMARY KEY (tenant, device_id),
  FOREIGN KEY (tenant, device_id) REFERENCES inventory_devices (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE inventory_values (
  tenant       TEXT NOT NULL,
  device_id    TEXT NOT NULL,
  scope        TEXT NOT NULL,
  name         TEXT NOT NULL,
  position     INTEGER NOT NULL,
  is_array     INTEGER NOT NULL,
  text_value   TEXT,
  number_value REAL,
  description  TEXT,
  time         INTEGER,
  PRIMARY KEY (tenant, device_id, scope, name, position),
  FOREIGN KEY (tenant, device_id) REFERENCES inventory_devices (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied INTEGER NOT NULL) STRICT;

CREATE TABLE release_tags (
  tenant       TEXT NOT NULL,
  release_name TEXT NOT NULL,
  tag          TEXT NOT NULL,
  PRIMARY KEY (tenant, release_name, tag),
  FOREIGN KEY (tenant, release_name) REFERENCES releases (tenant, name) ON DELETE CASCADE
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

CREATE TABLE settings (
  tenant  TEXT NOT NULL REFERENCES tenants (id),
  user_id TEXT NOT NULL,
  etag    TEXT NOT NULL,
  value   TEXT NOT NULL,
  PRIMARY KEY (tenant, user_id)
) STRICT;

CREATE TABLE tenants (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL,
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

CREATE INDEX active_deployments ON deployments (tenant, created) WHERE active = 1;

CREATE INDEX artifact_depends_by_artifact ON artifact_depends (tenant, artifact_id);

CREATE INDEX artifact_objects_by_object ON artifact_objects (tenant, object_id);

CREATE INDEX artifacts_by_name ON artifacts (tenant, name, id) WHERE deleted IS NULL;

CREATE INDEX auth_sets_by_device ON auth_sets (tenant, device_id);

CREATE INDEX change_log_by_tenant ON change_log (tenant, sequence);

CREATE INDEX deployment_artifacts_by_artifact ON deployment_artifacts (tenant, artifact_id);

CREATE INDEX deployments_by_name ON deployments (tenant, name);

CREATE INDEX device_deployments_by_artifact
  ON device_deployments (tenant, artifact_id) WHERE artifact_id IS NOT NULL;

CREATE INDEX device_deployments_by_standing
  ON device_deployments (tenant, device_id, active, deployment_created, deleted);

CREATE INDEX device_deployments_by_status
  ON device_deployments (tenant, deployment_id, status, device_id, attempt);

CREATE INDEX device_deployments_tried_again
  ON device_deployments (tenant, deployment_id, device_id, attempt) WHERE attempt > 1;

CREATE INDEX device_tokens_by_digest
  ON device_tokens (digest, tenant, id, device_id, digest_expires, signed_by) WHERE digest IS NOT NULL;

CREATE INDEX devices_by_status ON devices (tenant, status, id);

CREATE INDEX inventory_by_number ON inventory_values (tenant, scope, name, number_value) WHERE number_value IS NOT NULL;

CREATE INDEX inventory_by_text ON inventory_values (tenant, scope, name, text_value) WHERE text_value IS NOT NULL;

CREATE INDEX leaving_devices ON devices (tenant, id) WHERE decommissioning = 1;

CREATE INDEX release_tags_by_tag ON release_tags (tenant, tag);
