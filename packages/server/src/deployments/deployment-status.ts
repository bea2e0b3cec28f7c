import {
  allStatuses,
  deviceDeploymentStatuses,
  type DeviceDeploymentStatus,
} from './device-deployment-statuses.ts';

export const deploymentStatuses = ['scheduled', 'pending', 'inprogress', 'finished'] as const;
export type DeploymentStatus = (typeof deploymentStatuses)[number];

/** How many devices of a deployment are in each status; all are always present. */
export type Statistics = Readonly<Record<DeviceDeploymentStatus, number>>;

export const statistics = (counts: Partial<Statistics> = {}): Statistics =>
  // Every key is written below.
  Object.fromEntries(allStatuses.map((status) => [status, counts[status] ?? 0])) as Statistics;

/**
 * The status a deployment has by its counters (server contract 4.9): finished once as many devices as were targeted have ended,
 * in progress once any device has done something, and pending (or scheduled, before its first phase) until then.
 */
export function deploymentStatus(
  counts: Statistics,
  maxDevices: number,
  firstPhaseStarted = true,
): DeploymentStatus {
  const sum = (statuses: readonly DeviceDeploymentStatus[]) =>
    statuses.reduce((total, status) => total + counts[status], 0);
  if (sum(allStatuses.filter((status) => !deviceDeploymentStatuses[status].active)) >= maxDevices)
    return 'finished';
  if (sum(allStatuses.filter((status) => deviceDeploymentStatuses[status].moves)) > 0) return 'inprogress';
  return firstPhaseStarted ? 'pending' : 'scheduled';
}
