import type { LogMessage } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { seesDevice } from '../visibility.ts';
import { deploymentStore } from './deployment-store.ts';
import { deploymentTargetStore } from './deployment-target-store.ts';
import { deviceDeploymentLogStore } from './device-deployment-log-store.ts';
import { deviceDeploymentStore, type DeviceDeployment } from './device-deployment-store.ts';
import {
  deviceDeploymentStatuses,
  statusIsActive,
  type DeviceDeploymentStatus,
  type ReportableStatus,
} from './device-deployment-statuses.ts';
import { beginPart, changeStatus } from './device-progress.ts';
import { nextDeployment } from './next-update.ts';

export type DeviceReports = ReturnType<typeof createDeviceReports>;

/** What devices report, and what else ends their part (server contract 4.6, 4.9, 4.10). */
export function createDeviceReports({
  database,
  clock,
}: {
  readonly database: Database;
  readonly clock: Clock;
}) {
  const parts = (actor: Actor) => deviceDeploymentStore.forTenant(actor.tenant);

  const openPart = async (reader: Reader, actor: Actor, deploymentId: string, deviceId: string) => {
    const part = await parts(actor).get(reader, deploymentId, deviceId);
    if (part === undefined) throw notFound();
    const { closed } = deviceDeploymentStatuses[await statusOf(reader, actor, part)];
    if (closed !== null) throw new ServerError('conflict', closed);
    return part;
  };

  return {
    /** Repeating what is known changes nothing, the substate included. Throws `notFound`, `conflict`. */
    status: async (
      actor: Actor,
      deviceId: string,
      deploymentId: string,
      status: ReportableStatus,
      substate: string | undefined,
    ): Promise<void> => {
      if ((await openPart(database.read, actor, deploymentId, deviceId)).status === status) return;
      await database.unitOfWork(async (tx) => {
        const part = await openPart(tx, actor, deploymentId, deviceId);
        if (part.status === status) return;
        await changeStatus({ tx, actor, now: clock() }, part, status, substate ?? null);
      });
    },

    /** Taken at any time, since it comes after the device has ended its part. Replaces an earlier log. */
    log: (
      actor: Actor,
      deviceId: string,
      deploymentId: string,
      messages: readonly LogMessage[],
    ): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const part = await parts(actor).get(tx, deploymentId, deviceId);
        if (part === undefined) throw notFound();
        await deviceDeploymentLogStore.forTenant(actor.tenant).put(tx, part, messages);
        const ref = `${deploymentId}/${deviceId}`;
        await recordChange(tx, actor, { kind: 'device-deployment.log', ref, time: clock() });
      }),

    /** What the device is at, and what would be next. */
    abortForDevice: (actor: Actor, deviceId: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        if (!(await seesDevice(tx, actor, deviceId))) return;
        const change = { tx, actor, now: clock() };
        for (const part of await parts(actor).allActive(tx, deviceId))
          await changeStatus(change, part, 'aborted');
        const next = await nextDeployment(tx, actor.tenant, deviceId, change.now);
        if (typeof next !== 'string') await beginPart(change, next, deviceId, 'aborted');
      }),

    forgetEnded: (actor: Actor, deviceId: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        if (!(await seesDevice(tx, actor, deviceId))) return;
        await parts(actor).forgetEnded(tx, deviceId, clock());
        await recordChange(tx, actor, { kind: 'device-deployment.forgotten', ref: deviceId, time: clock() });
      }),
  };
}

/**
 * Ends all that a device takes part in, or would, when it is decommissioned: no deployment waits for a device that will not come
 * (server contract 4.13). To be called in the unit of work that removes the device.
 */
export async function endPartsOfDecommissioned(
  tx: Transaction,
  actor: Actor,
  deviceId: string,
  now: number,
): Promise<void> {
  const parts = deviceDeploymentStore.forTenant(actor.tenant);
  const change = { tx, actor, now };
  for (const part of await parts.allActive(tx, deviceId)) await changeStatus(change, part, 'decommissioned');
  for (const deployment of await deploymentTargetStore.forTenant(actor.tenant).activeFor(tx, deviceId, -1)) {
    const part: DeviceDeployment | undefined = await parts.get(tx, deployment.id, deviceId);
    if (part === undefined) await beginPart(change, deployment, deviceId, 'decommissioned');
  }
}

/** What is under way in a deployment that was aborted has ended, even before that was noted of each device. */
async function statusOf(
  reader: Reader,
  { tenant }: Actor,
  { deploymentId, status }: DeviceDeployment,
): Promise<DeviceDeploymentStatus> {
  if (!statusIsActive(status)) return status;
  const deployment = await deploymentStore.forTenant(tenant).get(reader, deploymentId);
  return (deployment?.aborted ?? null) === null ? status : 'aborted';
}

const notFound = () => new ServerError('notFound', 'Deployment not found');
