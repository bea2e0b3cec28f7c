export interface ReleaseTables {
  /** Artifacts that are still to be made of a file; gone once they are, or cannot be. */
  artifact_generations: {
    tenant: string;
    artifact_id: string;
    name: string;
    /** JSON of `WantedArtifact`. */
    wanted: string;
    requested: number;
    attempts: number;
  };
  artifacts: {
    tenant: string;
    id: string;
    /** Of the release it belongs to. */
    name: string;
    description: string;
    size_bytes: number;
    modified: number;
    /** Set instead of removing the row: the history of devices goes on naming what they installed. */
    deleted: number | null;
    /** JSON of `ArtifactFacts`: what was read out of the artifact and never changes. */
    facts: string;
  };
  /** Where the bytes of an artifact lie in the storage; artifacts of older servers have no row, and their own id for it. */
  artifact_objects: {
    tenant: string;
    artifact_id: string;
    object_id: string;
    /** Of the whole artifact file, hexadecimal. */
    sha256: string;
  };
  /** Uploads straight into a bucket that were asked for. */
  direct_uploads: {
    tenant: string;
    id: string;
    requested: number;
    /** When its sender said that it is there; null until then. */
    completed: number | null;
    attempts: number;
  };
  /** One row per combination of one value for each depends key: no two artifacts of a name may share one (server contract 4.1). */
  artifact_depends: { tenant: string; name: string; combination: string; artifact_id: string };
  artifact_device_types: { tenant: string; artifact_id: string; device_type: string };
  artifact_payload_types: { tenant: string; artifact_id: string; payload_type: string };
  /** A row lives from the first artifact of its name to the last. */
  releases: {
    tenant: string;
    name: string;
    kind: 'release' | 'manifest';
    notes: string;
    modified: number;
    artifacts_count: number;
  };
  release_tags: { tenant: string; release_name: string; tag: string };
}
