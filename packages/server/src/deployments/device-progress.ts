import type { Actor } from '../actor.ts';
import { recordChange } from '../database/change-log.ts';
import type { Transaction } from '../database/tables.ts';
import { firstPhaseStarted } from './deployment-phases.ts';
import { deploymentStatus, statistics } from './deployment-status.ts';
import { deploymentStatisticsStore } from './deployment-statistics-store.ts';
import { deploymentStore, type Deployment } from './deployment-store.ts';
import { deviceDeploymentStore, type DeviceDeployment } from './device-deployment-store.ts';
import { statusReportStore } from './status-report-store.ts';
import { statusIsActive, type DeviceDeploymentStatus } from './device-deployment-statuses.ts';

/*
 * How devices move through a deployment.
 *
 * INVARIANTS
 * - The counters of a deployment that is not aborted add up to the number of devices it is for: a device that has not asked
 *   counts as pending.
 * - A deployment's status is what its counters say; an aborted one stays finished.
 */

/** In which unit of work, on whose behalf, and when (milliseconds since 1970). */
export interface Change {
  readonly tx: Transaction;
  readonly actor: Actor;
  readonly now: number;
}

/** Begins the device's part, in any status; a further attempt when it had one before. */
export async function beginPart(
  { tx, actor, now }: Change,
  deployment: Deployment,
  deviceId: string,
  status: DeviceDeploymentStatus,
): Promise<DeviceDeployment> {
  const deployments = deploymentStore.forTenant(actor.tenant);
  const parts = deviceDeploymentStore.forTenant(actor.tenant);
  const earlier = await parts.get(tx, deployment.id, deviceId);
  const part: DeviceDeployment = {
    deploymentId: deployment.id,
    deviceId,
    attempt: (earlier?.attempt ?? 0) + 1,
    deploymentCreated: deployment.created,
    status,
    started: null,
    finished: statusIsActive(status) ? null : now,
    deleted: null,
    substate: null,
    artifactId: null,
    request: null,
    hasLog: false,
  };
  await parts.insert(tx, part);
  if (earlier === undefined) await deployments.countDevice(tx, deployment.id);
  await deploymentStatisticsStore
    .forTenant(actor.tenant)
    .moveDevice(tx, deployment.id, earlier?.status ?? 'pending', status);
  await afterChange({ tx, actor, now }, part);
  return part;
}

/** Server contract 4.9: leaving `pending` starts the part, a status that is not active ends it. No order is enforced. */
export async function changeStatus(
  { tx, actor, now }: Change,
  part: DeviceDeployment,
  status: DeviceDeploymentStatus,
  substate: string | null = null,
): Promise<void> {
  await deviceDeploymentStore.forTenant(actor.tenant).update(tx, part, {
    status,
    substate,
    started: part.started ?? (status === 'pending' ? null : now),
    finished: statusIsActive(status) ? null : now,
  });
  await deploymentStatisticsStore
    .forTenant(actor.tenant)
    .moveDevice(tx, part.deploymentId, part.status, status);
  await afterChange({ tx, actor, now }, { ...part, status, substate });
}

async function afterChange(change: Change, part: DeviceDeployment): Promise<void> {
  const { tx, actor, now } = change;
  const { deploymentId, deviceId, status } = part;
  await statusReportStore.forTenant(actor.tenant).append(tx, part, now);
  await recordChange(tx, actor, {
    kind: `device-deployment.${status}`,
    ref: `${deploymentId}/${deviceId}`,
    time: now,
  });
  await updateDeploymentStatus(change, deploymentId);
}

async function updateDeploymentStatus({ tx, actor, now }: Change, id: string): Promise<void> {
  const store = deploymentStore.forTenant(actor.tenant);
  const deployment = await store.get(tx, id);
  if (deployment === undefined || deployment.aborted !== null) return;
  const counts =
    (await deploymentStatisticsStore.forTenant(actor.tenant).get(tx, [id])).get(id) ?? statistics();
  const started = firstPhaseStarted(await store.phases(tx, id), now);
  const status = deploymentStatus(counts, deployment.maxDevices, started);
  if (status === deployment.status) return;
  await store.setStatus(tx, id, {
    status,
    finished: status === 'finished' ? (deployment.finished ?? now) : null,
    aborted: null,
  });
  if (status === 'finished')
    await recordChange(tx, actor, { kind: 'deployment.finished', ref: id, time: now });
}
