import type { Artifact, PayloadHeader } from '@tandem/artifact';
import { ClientError } from '../client-error.ts';
import { checkDepends } from '../provides-store/check-depends.ts';
import { onlyPayload } from './saved-deployment.ts';

export interface Offer {
  readonly artifactName: string;
  readonly deviceTypes: readonly string[];
}

/**
 * Throws unless a genuine artifact is for this device and is what the server offered (client contract 16, numbers 5 and 6; an update
 * started by hand has no offer). Gives the one payload.
 */
export function checkArtifact(
  artifact: Pick<Artifact, 'headerInfo' | 'payloads'>,
  device: { readonly deviceType: string; readonly provides: Readonly<Record<string, string>> },
  offer: Offer | undefined,
): PayloadHeader {
  const { artifactName, depends } = artifact.headerInfo;
  if (!depends.deviceTypes.includes(device.deviceType)) {
    throw new ClientError(
      'artifactRefused',
      `Artifact device type doesn't match: ${artifactName} is for ${depends.deviceTypes.join(', ')}, and this device is a ${device.deviceType}`,
    );
  }
  if (offer !== undefined) checkOffer(artifactName, depends.deviceTypes, offer);
  const payload = onlyPayload(artifact.payloads);
  checkDepends(
    {
      ...payload.depends,
      ...(depends.artifactNames === undefined ? {} : { artifact_name: depends.artifactNames }),
      ...(depends.artifactGroups === undefined ? {} : { artifact_group: depends.artifactGroups }),
    },
    { ...device.provides, device_type: device.deviceType },
  );
  return payload;
}

function checkOffer(artifactName: string, deviceTypes: readonly string[], offer: Offer): void {
  if (artifactName !== offer.artifactName) {
    throw new ClientError(
      'artifactRefused',
      `The server offered artifact ${offer.artifactName}, and the artifact downloaded calls itself ${artifactName}`,
    );
  }
  const offered = new Set(offer.deviceTypes);
  if (offered.size !== new Set(deviceTypes).size || !deviceTypes.every((type) => offered.has(type))) {
    throw new ClientError(
      'artifactRefused',
      `The server offered artifact ${artifactName} for ${offer.deviceTypes.join(', ')}, and the artifact itself is for ${deviceTypes.join(', ')}`,
    );
  }
}
