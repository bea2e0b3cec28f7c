import type { ArtifactImage } from '@tandem/api';
import { rfc3339 } from '../clock.ts';
import type { ArtifactFacts } from './artifact-facts.ts';

export interface StoredArtifact {
  readonly id: string;
  /** Of its bytes in the storage. */
  readonly objectId: string;
  readonly description: string;
  readonly sizeBytes: number;
  readonly modified: number;
  readonly facts: ArtifactFacts;
}

/** An artifact as the API shows it (server contract 4.1). */
export const artifactImage = ({
  id,
  description,
  sizeBytes,
  modified,
  facts,
}: StoredArtifact): ArtifactImage => ({
  id,
  name: facts.name,
  description,
  device_types_compatible: [...facts.deviceTypes],
  info: { format: 'mender', version: facts.version },
  signed: facts.signed,
  updates: facts.payloads.map(({ type, files, metaData }) => ({
    type_info: { type },
    files: files.map((file) => ({
      name: file.name,
      checksum: file.sha256,
      size: file.sizeBytes,
      date: rfc3339(file.modifiedAt * 1000),
    })),
    // Twice, since some clients read the one and some the other; neither when there is nothing in it.
    ...(metaData === null || Object.keys(metaData).length === 0
      ? {}
      : {
          metadata: { ...metaData },
          meta_data: Object.entries(metaData).map(([Key, Value]) => ({ Key, Value })),
        }),
  })),
  ...(Object.keys(facts.provides).length === 0 ? {} : { artifact_provides: { ...facts.provides } }),
  artifact_depends: Object.fromEntries(
    Object.entries(facts.depends).map(([key, values]) => [key, [...values]]),
  ),
  ...(facts.clearsProvides === null ? {} : { clears_artifact_provides: [...facts.clearsProvides] }),
  size: sizeBytes,
  modified: rfc3339(modified),
});
