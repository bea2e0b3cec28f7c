import { createHash } from 'node:crypto';
import type { NewDeployment } from '@tandem/api';
import { ServerError } from '../server-error.ts';
import { isDeviceId } from './deployment-target.ts';

/** A deployment that was asked for, checked. */
export interface WantedDeployment {
  readonly name: string;
  readonly artifactName: string;
  readonly devices: WantedDevices;
  readonly forceInstallation: boolean;
}

export type WantedDevices =
  | { readonly kind: 'list'; readonly ids: readonly string[] }
  | { readonly kind: 'all' }
  | { readonly kind: 'group'; readonly group: string };

const maxNameLength = 256;
const maxArtifactNameLength = 4096;

/** Checks what was sent, with the reference's words (server contract 4.5). Throws `badRequest`. */
export function wantedDeployment(body: NewDeployment, group?: string): WantedDeployment {
  const { name = '', artifact_name: artifactName = '', all_devices: allDevices = false } = body;
  const devices = body.devices ?? [];
  if (name.length < 1 || name.length > maxNameLength)
    throw invalid(`name: the length must be between 1 and ${maxNameLength}.`);
  if (artifactName.length < 1 || artifactName.length > maxArtifactNameLength) {
    throw invalid(`artifact_name: the length must be between 1 and ${maxArtifactNameLength}.`);
  }
  if (group !== undefined && (devices.length > 0 || allDevices)) {
    throw invalid(
      'The deployment for group constructor should have neither list of devices nor all_devices flag set',
    );
  }
  if (devices.length > 0 && allDevices) {
    throw invalid('Invalid deployments definition: list of devices provided together with all_devices flag');
  }
  if (group === undefined && devices.length === 0 && !allDevices) {
    throw invalid('Invalid deployments definition: provide list of devices or set all_devices flag');
  }
  if (!devices.every(isDeviceId))
    throw invalid('devices: an id is empty, too long or has control characters.');
  return {
    name,
    artifactName,
    devices:
      group !== undefined
        ? { kind: 'group', group }
        : allDevices
          ? { kind: 'all' }
          : { kind: 'list', ids: devices },
    forceInstallation: body.force_installation ?? false,
  };
}

/** Equal for deployments that ask for the same; unique among the active ones (server contract 4.5). */
export const fingerprint = (wanted: WantedDeployment, deviceIds: readonly string[]): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        wanted.name,
        wanted.artifactName,
        wanted.devices.kind === 'all',
        wanted.forceInstallation,
        wanted.devices.kind === 'all' ? [] : [...new Set(deviceIds)].toSorted(),
      ]),
    )
    .digest('hex');

const invalid = (reason: string) => new ServerError('badRequest', `Validating request body: ${reason}`);
