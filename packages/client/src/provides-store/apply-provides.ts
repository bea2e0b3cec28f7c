import { allProvides, type DeviceRecords } from './device-store.ts';
import type { Outcome } from '../deployment/deployment-states.ts';

/** What an artifact says of the software it brings. */
export interface ArtifactProvides {
  readonly artifactName: string;
  readonly artifactGroup?: string | undefined;
  readonly provides?: Readonly<Record<string, string>> | undefined;
  readonly clearsProvides?: readonly string[] | undefined;
}

type SoftwareRecords = Pick<DeviceRecords, 'artifact-name' | 'artifact-group' | 'artifact-provides'>;

/**
 * What the device is to say of its software once an update has ended so (client contract 15). Undefined: as before, since the
 * device is as it was before.
 */
export function softwareAfter(
  outcome: Outcome,
  stored: DeviceRecords,
  artifact: ArtifactProvides,
): SoftwareRecords | undefined {
  switch (outcome) {
    case 'noneFailed':
      return softwareInstalled(stored, artifact);
    case 'rollbackAttempted':
      return undefined;
    case 'failed':
    case 'rollbackFailed':
      return {
        'artifact-name': inconsistentName(artifact.artifactName),
        'artifact-group': artifact.artifactGroup ?? stored['artifact-group'],
        'artifact-provides': stored['artifact-provides'],
      };
  }
}

/** The stored set with name and group, as the artifact's provides and clears provides change it. */
export function softwareInstalled(stored: DeviceRecords, artifact: ArtifactProvides): SoftwareRecords {
  const { provides, clearsProvides } = artifact;
  const kept =
    clearsProvides === undefined
      ? {}
      : Object.fromEntries(
          Object.entries(allProvides(stored)).filter(
            ([key]) => !clearsProvides.some((pattern) => matchesPattern(pattern, key)),
          ),
        );
  const {
    artifact_name: _name,
    artifact_group: group,
    ...others
  } = { ...kept, ...provides } as Record<string, string>;
  return {
    'artifact-name': artifact.artifactName,
    'artifact-group': artifact.artifactGroup ?? group,
    'artifact-provides': others,
  };
}

/** A name that says the software is in an unknown state; said once, however often it happens. */
export const inconsistentName = (name: string): string =>
  name.endsWith('_INCONSISTENT') ? name : `${name}_INCONSISTENT`;

/** True when the pattern covers the whole key; `*` stands for any run of characters, the empty one too. */
export function matchesPattern(pattern: string, key: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return key === first;
  if (!key.startsWith(first)) return false;
  // Each middle piece at its first place: taking an earlier place never hides a later match.
  let position = first.length;
  for (const piece of rest) {
    const found = key.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return key.length - last.length >= position && key.endsWith(last);
}
