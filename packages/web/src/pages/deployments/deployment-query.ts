/** What the list of deployments shows, from the address. */
export interface DeploymentAddress {
  readonly page?: number;
  readonly status?: DeploymentStatus;
  readonly search?: string;
}

export const deploymentStatuses = ['inprogress', 'pending', 'finished'] as const;
export type DeploymentStatus = (typeof deploymentStatuses)[number];

export function readDeploymentAddress(address: Readonly<Record<string, unknown>>): DeploymentAddress {
  const page = Number(address['page']);
  const status = deploymentStatuses.find((known) => known === address['status']);
  const { search } = address;
  return {
    ...(Number.isSafeInteger(page) && page > 1 ? { page } : {}),
    ...(status === undefined ? {} : { status }),
    ...(typeof search === 'string' && search !== '' ? { search } : {}),
  };
}

/** What the form begins with: a link from a release, a group or a device fills it in. */
export interface NewDeploymentAddress {
  readonly release?: string;
  readonly group?: string;
  readonly device?: readonly string[];
}

const maxDevices = 500;

export function readNewDeploymentAddress(address: Readonly<Record<string, unknown>>): NewDeploymentAddress {
  const { release, group, device } = address;
  const devices = (Array.isArray(device) ? (device as unknown[]) : [])
    .filter((id): id is string => typeof id === 'string')
    .slice(0, maxDevices);
  return {
    ...(typeof release === 'string' ? { release } : {}),
    ...(typeof group === 'string' ? { group } : {}),
    ...(devices.length === 0 ? {} : { device: devices }),
  };
}
