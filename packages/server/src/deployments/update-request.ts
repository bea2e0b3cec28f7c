import type { DeviceProvides } from './choose-artifact.ts';

/** What a device said of itself when it asked for an update, whichever of the three ways it asked in. */
export interface UpdateRequest {
  readonly deviceType: string;
  readonly artifactName: string;
  /** All it provides; null when the way it asked says nothing of that. */
  readonly provides: Readonly<Record<string, string>> | null;
}

/** What the version 1 body holds beside the two required fields: the clients of version 3 put their provides there. */
export function flatRequest(body: {
  readonly artifact_name: string;
  readonly device_type: string;
  readonly artifact_provides?: Readonly<Record<string, string>>;
  readonly [other: string]: unknown;
}): UpdateRequest {
  const { artifact_name, device_type, artifact_provides, ...others } = body;
  const flat = Object.fromEntries(
    Object.entries(others).flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, value] as const] : [],
    ),
  );
  const provides = { ...flat, ...artifact_provides };
  return {
    deviceType: device_type,
    artifactName: artifact_name,
    provides: Object.keys(provides).length === 0 ? null : provides,
  };
}

export const nestedRequest = (provides: {
  readonly artifact_name: string;
  readonly device_type: string;
  readonly [key: string]: string;
}): UpdateRequest => ({ deviceType: provides.device_type, artifactName: provides.artifact_name, provides });

export const deviceProvides = ({ deviceType, artifactName, provides }: UpdateRequest): DeviceProvides => ({
  values: { ...provides, device_type: deviceType, artifact_name: artifactName },
  complete: provides !== null,
});

/**
 * Whether a device asks as it did before. It does until it has ended the deployment; if not, it lost its data or was changed
 * meanwhile (server contract 4.8, step 4). A request that says nothing of provides is compared by what it does say.
 */
export function sameRequest(a: UpdateRequest, b: UpdateRequest): boolean {
  if (a.deviceType !== b.deviceType || a.artifactName !== b.artifactName) return false;
  return a.provides === null || b.provides === null || canonical(a.provides) === canonical(b.provides);
}

const canonical = (provides: Readonly<Record<string, string>>): string =>
  JSON.stringify(
    Object.entries(provides)
      .filter(([key]) => key !== 'device_type' && key !== 'artifact_name')
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
