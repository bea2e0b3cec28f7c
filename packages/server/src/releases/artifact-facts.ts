import type { Artifact } from '@tandem/artifact';

/** What was read out of an artifact when it came in, and never changes. Kept as JSON, shown by `artifactImage`. */
export interface ArtifactFacts {
  readonly name: string;
  readonly version: number;
  readonly signed: boolean;
  readonly deviceTypes: readonly string[];
  readonly payloads: readonly PayloadFacts[];
  readonly provides: Readonly<Record<string, string>>;
  readonly depends: Readonly<Record<string, readonly string[]>>;
  readonly clearsProvides: readonly string[] | null;
}

export interface PayloadFacts {
  readonly type: string | null;
  readonly files: readonly FileFacts[];
  readonly metaData: Readonly<Record<string, unknown>> | null;
}

export interface FileFacts {
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
}

/** Said of an artifact that is well formed and yet cannot be served; the message is for its author. */
export class ArtifactUnusable extends Error {
  override readonly name = 'ArtifactUnusable';
}

/**
 * Reads the artifact to its end, which proves it, and returns what is worth keeping (server contract 4.1): depends and provides of
 * the header and of the payloads are one map each, and a key must not stand in both.
 */
export async function artifactFacts(artifact: Artifact): Promise<ArtifactFacts> {
  const files: FileFacts[][] = artifact.payloads.map(() => []);
  for await (const file of artifact.files()) {
    for await (const chunk of file.content) void chunk;
    files[file.payloadIndex]?.push({
      name: file.name,
      sha256: file.sha256,
      sizeBytes: file.sizeBytes,
      modifiedAt: file.modifiedAt,
    });
  }
  const { headerInfo, payloads } = artifact;
  const { depends } = headerInfo;
  return {
    name: headerInfo.artifactName,
    version: artifact.version,
    signed: artifact.signature !== 'unsigned',
    deviceTypes: depends.deviceTypes,
    payloads: payloads.map(({ type, metaData }, index) => ({
      type,
      files: files[index] ?? [],
      metaData: metaData ?? null,
    })),
    provides: merged<string>('provides', [
      {
        artifact_name: headerInfo.artifactName,
        ...(headerInfo.artifactGroup === undefined ? {} : { artifact_group: headerInfo.artifactGroup }),
      },
      ...payloads.map((payload) => payload.provides ?? {}),
    ]),
    depends: merged<readonly string[]>('depends', [
      {
        device_type: depends.deviceTypes,
        ...(depends.artifactNames === undefined ? {} : { artifact_name: depends.artifactNames }),
        ...(depends.artifactGroups === undefined ? {} : { artifact_group: depends.artifactGroups }),
      },
      ...payloads.map((payload) => payload.depends ?? {}),
    ]),
    clearsProvides: payloads.some((payload) => payload.clearsProvides !== undefined)
      ? payloads.flatMap((payload) => payload.clearsProvides ?? [])
      : null,
  };
}

function merged<V>(what: string, maps: readonly Readonly<Record<string, V>>[]): Record<string, V> {
  const all = new Map<string, V>();
  for (const [key, value] of maps.flatMap((map) => Object.entries(map))) {
    if (all.has(key)) {
      throw new ArtifactUnusable(`Conflicting keys not allowed in the ${what} parameters. key: ${key}`);
    }
    all.set(key, value);
  }
  return Object.fromEntries(all);
}
