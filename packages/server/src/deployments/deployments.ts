import { randomUUID } from 'node:crypto';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { beyondScope, seesDeployment } from '../visibility.ts';
import { firstPhaseStarted, singlePhase } from './deployment-phases.ts';
import { deploymentStatisticsStore } from './deployment-statistics-store.ts';
import { deploymentStore } from './deployment-store.ts';
import { deploymentTargetStore } from './deployment-target-store.ts';
import type { DeploymentTarget } from './deployment-target.ts';
import { deviceDeploymentStore } from './device-deployment-store.ts';
import { changeStatus } from './device-progress.ts';
import { fingerprint, type WantedDeployment } from './new-deployment.ts';
import type { DeployableArtifact } from './next-update.ts';

/** What deployments ask of other domains. */
export interface DeploymentNeeds {
  readonly database: Database;
  readonly clock: Clock;
  readonly artifactsNamed: (
    reader: Reader,
    tenant: string,
    name: string,
  ) => Promise<readonly DeployableArtifact[]>;
  readonly acceptedDevices: (reader: Reader, actor: Actor) => Promise<readonly string[]>;
  /** The accepted ones in the static group. */
  readonly devicesInGroup: (reader: Reader, actor: Actor, group: string) => Promise<readonly string[]>;
  readonly groupOfDevice: (reader: Reader, actor: Actor, deviceId: string) => Promise<string | null>;
}

export type TargetNeeds = Pick<DeploymentNeeds, 'acceptedDevices' | 'devicesInGroup' | 'groupOfDevice'>;

export type Deployments = ReturnType<typeof createDeployments>;

/** Beginning deployments and ending them (server contract 4.5, 4.7). */
export function createDeployments(needs: DeploymentNeeds) {
  const { database, clock } = needs;
  const deployments = (actor: Actor) => deploymentStore.forTenant(actor.tenant);
  const parts = (actor: Actor) => deviceDeploymentStore.forTenant(actor.tenant);

  return {
    /**
     * Returns the id. Who is targeted is settled here, for good: whoever joins the group later is not, whoever leaves it still is.
     * Throws `forbidden`, `badRequest`, `unprocessable`, `conflict`.
     */
    create: (actor: Actor, wanted: WantedDeployment): Promise<string> =>
      database.unitOfWork(async (tx) => {
        const { deviceIds, groups } = await targeted(needs, tx, actor, wanted);
        const artifacts = await needs.artifactsNamed(tx, actor.tenant, wanted.artifactName);
        if (artifacts.length === 0) throw new ServerError('unprocessable', 'No artifact for the deployment');
        const print = fingerprint(wanted, deviceIds);
        if (await deployments(actor).hasActiveFingerprint(tx, print)) {
          throw new ServerError(
            'conflict',
            'Invalid deployment definition: there is already an active deployment with the same parameters',
          );
        }
        const now = clock();
        // Later than every other: devices get deployments in this order, and two of one instant would have none.
        const created = Math.max(now, ((await deployments(actor).latestCreated(tx)) ?? 0) + 1);
        const phases = singlePhase(created);
        const id = randomUUID();
        await deployments(actor).insert(
          tx,
          {
            id,
            name: wanted.name,
            artifactName: wanted.artifactName,
            kind: 'software',
            created,
            finished: null,
            aborted: null,
            status: firstPhaseStarted(phases, created) ? 'pending' : 'scheduled',
            maxDevices: deviceIds.length,
            deviceCount: 0,
            forceInstallation: wanted.forceInstallation,
            target: targetOf(wanted),
            groups,
            totalSizeBytes: 0,
          },
          { fingerprint: print, artifactIds: artifacts.map((artifact) => artifact.id), phases },
        );
        await deploymentTargetStore.forTenant(actor.tenant).insert(tx, id, deviceIds);
        await deploymentStatisticsStore.forTenant(actor.tenant).insert(tx, id, deviceIds.length);
        await recordChange(tx, actor, { kind: 'deployment.created', ref: id, time: now });
        return id;
      }),

    /**
     * Devices that are at it are aborted, which they learn by their next report. What never asked vanishes from the counters
     * (server contract 4.7). Throws `unprocessable`.
     */
    abort: (actor: Actor, id: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const deployment = await deploymentStore.seenBy(actor).get(tx, id);
        if (deployment === undefined || deployment.status === 'finished') {
          throw new ServerError('unprocessable', 'Deployment already finished');
        }
        const now = clock();
        await deployments(actor).setStatus(tx, id, { status: 'finished', finished: now, aborted: now });
        for (const part of await parts(actor).allActive(tx, { deploymentId: id })) {
          await changeStatus({ tx, actor, now }, part, 'aborted');
        }
        const counts = await parts(actor).countByStatus(tx, id);
        await deploymentStatisticsStore.forTenant(actor.tenant).replace(tx, id, counts);
        await recordChange(tx, actor, { kind: 'deployment.aborted', ref: id, time: now });
      }),
  };
}

/** Whom a deployment would be for, each once. Throws `forbidden` for one that the actor would not see, `badRequest` for nobody. */
export async function targeted(
  needs: TargetNeeds,
  reader: Reader,
  actor: Actor,
  wanted: WantedDeployment,
): Promise<{ deviceIds: readonly string[]; groups: readonly string[] }> {
  const deviceIds = [...new Set(await wantedDevices(needs, reader, actor, wanted))];
  const groups = await groupsOf(needs, reader, actor, wanted, deviceIds);
  if (!seesDeployment(actor, { groups })) throw beyondScope();
  if (deviceIds.length === 0) throw new ServerError('badRequest', 'No devices for the deployment');
  return { deviceIds, groups };
}

/** Ids, perhaps some of them twice. */
async function wantedDevices(
  { acceptedDevices, devicesInGroup }: TargetNeeds,
  reader: Reader,
  actor: Actor,
  { devices }: WantedDeployment,
): Promise<readonly string[]> {
  switch (devices.kind) {
    case 'list':
      return devices.ids;
    case 'all':
      return acceptedDevices(reader, actor);
    case 'group':
      return devicesInGroup(reader, actor, devices.group);
  }
}

function targetOf({ devices }: WantedDeployment): DeploymentTarget {
  switch (devices.kind) {
    case 'list':
      return { kind: 'devices', deviceIds: 'listed' };
    case 'all':
      return { kind: 'devices', deviceIds: 'all' };
    case 'group':
      return { kind: 'group', group: devices.group };
  }
}

async function groupsOf(
  { groupOfDevice }: TargetNeeds,
  reader: Reader,
  actor: Actor,
  { devices }: WantedDeployment,
  deviceIds: readonly string[],
): Promise<string[]> {
  if (devices.kind === 'group') return [devices.group];
  const [only] = deviceIds;
  if (only === undefined || deviceIds.length > 1) return [];
  const group = await groupOfDevice(reader, actor, only);
  return group === null ? [] : [group];
}
