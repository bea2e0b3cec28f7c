import { systemActor, type Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import { ServerError } from '../server-error.ts';
import { deploymentStatisticsStore } from './deployment-statistics-store.ts';
import { deploymentStore } from './deployment-store.ts';
import { deviceDeploymentStore } from './device-deployment-store.ts';
import { changeStatus } from './device-progress.ts';

/** So many devices a unit of work: a poll waits for one unit at most, whatever the size of the deployment. */
const devicesPerUnit = 100;

interface AbortNeeds {
  readonly database: Database;
  readonly clock: Clock;
}

/**
 * Devices that are at it are aborted, which they learn by their next report. What never asked vanishes from the counters
 * (server contract 4.7). It holds for all of them from the first unit of work on; that it is noted of each device takes several.
 * Throws `unprocessable`.
 */
export async function abortDeployment(needs: AbortNeeds, actor: Actor, id: string): Promise<void> {
  const { database, clock } = needs;
  await database.unitOfWork(async (tx) => {
    const deployment = await deploymentStore.seenBy(actor).get(tx, id);
    if (deployment === undefined || deployment.status === 'finished') {
      throw new ServerError('unprocessable', 'Deployment already finished');
    }
    const now = clock();
    const store = deploymentStore.forTenant(actor.tenant);
    await store.setStatus(tx, id, { status: 'finished', finished: now, aborted: now });
    const neverAsked = deployment.maxDevices - deployment.deviceCount;
    await deploymentStatisticsStore.forTenant(actor.tenant).dropPending(tx, id, neverAsked);
    await recordChange(tx, actor, { kind: 'deployment.aborted', ref: id, time: now });
  });
  await endParts(needs, actor, id);
}

/** Ends what an abort has left that was itself cut short. Safe to run at any time, and again. */
export async function finishAborts(needs: AbortNeeds, signal: AbortSignal): Promise<void> {
  for (const { tenant, id } of await deploymentStatisticsStore.abortedUnended(needs.database.read)) {
    await endParts(needs, systemActor(tenant, 'aborts'), id, signal);
  }
}

async function endParts(
  { database, clock }: AbortNeeds,
  actor: Actor,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  const parts = deviceDeploymentStore.forTenant(actor.tenant);
  for (let after: string | undefined = ''; after !== undefined;) {
    signal?.throwIfAborted();
    const from: string = after;
    after = await database.unitOfWork(async (tx) => {
      const some = await parts.activeOfDeployment(tx, id, from, devicesPerUnit);
      const change = { tx, actor, now: clock() };
      for (const part of some) await changeStatus(change, part, 'aborted');
      return some.length < devicesPerUnit ? undefined : some.at(-1)?.deviceId;
    });
  }
}
