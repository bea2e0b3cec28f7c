import type { Configuration } from '@tandem/api';
import { writeArtifact } from '@tandem/artifact';

/**
 * The artifact that brings a configuration (server contract 4.11): no files, the configuration as meta-data for the device's
 * update module. Made anew for each download, the same bytes each time; a megabyte at most, as configurations are bounded.
 */
export async function configurationArtifact(wanted: {
  readonly artifactName: string;
  readonly deviceType: string;
  readonly configuration: Configuration;
  /** Milliseconds since 1970. */
  readonly created: number;
}): Promise<Buffer> {
  const { artifactName, deviceType, configuration, created } = wanted;
  const pieces: Uint8Array[] = [];
  const description = {
    artifactName,
    depends: { deviceTypes: [deviceType] },
    payload: {
      type: 'mender-configure',
      provides: { 'data-partition.mender-configure.version': artifactName },
      clearsProvides: ['data-partition.mender-configure.*'],
      metaData: configuration,
    },
  };
  const options = { compression: 'none', modifiedAt: Math.floor(created / 1000) } as const;
  for await (const piece of writeArtifact(description, options)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
