import type { DeploymentInstructions } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader, Transaction } from '../database/tables.ts';
import type { ArtifactLinks } from '../http/artifact-link.ts';
import { chooseArtifact, type Candidate } from './choose-artifact.ts';
import { openPlaces } from './deployment-phases.ts';
import { deploymentStore, type Deployment } from './deployment-store.ts';
import { deviceDeploymentStore, type DeviceDeployment } from './device-deployment-store.ts';
import { beginPart, changeStatus } from './device-progress.ts';
import { deviceProvides, sameRequest, type UpdateRequest } from './update-request.ts';

/** An artifact as far as a deployment has to know it. */
export interface DeployableArtifact extends Candidate {
  readonly name: string;
  readonly deviceTypes: readonly string[];
}

export interface NextUpdateNeeds {
  readonly database: Database;
  readonly clock: Clock;
  readonly links: ArtifactLinks;
  /** Those that are still there. */
  readonly artifactsById: (
    reader: Reader,
    tenant: string,
    ids: readonly string[],
  ) => Promise<readonly DeployableArtifact[]>;
}

/** What a device is told: instructions, nothing, or that it contradicts what it said before. */
export type NextUpdate = DeploymentInstructions | 'nothing' | 'conflict';

/** A device's link is good so long (server contract 4.8): it may have to download for a day. */
const deviceLinkSeconds = 24 * 60 * 60;

/**
 * Answers a device that asks for an update (server contract 4.8). Nearly all have nothing to do, or ask again for what they are
 * at: those cost point reads of committed state. Only what has to be noted goes through a unit of work, where it is decided anew.
 */
export function nextUpdate({ database, clock, links, artifactsById }: NextUpdateNeeds) {
  return async (actor: Actor, deviceId: string, request: UpdateRequest): Promise<NextUpdate> => {
    const now = clock();
    const seen = await findPart(database.read, actor, deviceId, now);
    if (seen === undefined) return 'nothing';
    const again =
      seen.part?.request && seen.part.artifactId !== null && sameRequest(seen.part.request, request);
    const assigned = again
      ? await assignedArtifact(database.read, actor, seen.part)
      : await database.unitOfWork((tx) => assign(tx, now));
    if (typeof assigned === 'string') return assigned;
    return assigned === undefined ? 'nothing' : instructions(actor, assigned);

    async function assign(tx: Transaction, time: number) {
      const found = await findPart(tx, actor, deviceId, time);
      if (found === undefined) return 'nothing';
      const change = { tx, actor, now: time };
      const { deployment } = found;
      const part = found.part ?? (await beginPart(change, deployment, deviceId, 'pending'));
      const parts = deviceDeploymentStore.forTenant(actor.tenant);

      if (part.request === null) await parts.update(tx, part, { request });
      else if (!sameRequest(part.request, request)) {
        await changeStatus(change, part, 'failure');
        return 'conflict';
      }
      if (part.artifactId !== null) return assignedArtifact(tx, actor, part);

      const ids = (await deploymentStore.forTenant(actor.tenant).artifactIds(tx, [deployment.id])).get(
        deployment.id,
      );
      const artifact = chooseArtifact(
        await artifactsById(tx, actor.tenant, ids ?? []),
        deviceProvides(request),
      );
      if (artifact === undefined) {
        await changeStatus(change, part, 'noartifact');
        return 'nothing';
      }
      await parts.update(tx, part, { artifactId: artifact.id });
      if (
        !deployment.forceInstallation &&
        artifact.name === request.artifactName &&
        part.status === 'pending'
      ) {
        await changeStatus(change, part, 'already-installed');
        return 'nothing';
      }
      await deploymentStore.forTenant(actor.tenant).addSize(tx, deployment.id, artifact.sizeBytes);
      return { part: { ...part, artifactId: artifact.id }, artifact };
    }
  };

  async function assignedArtifact(reader: Reader, { tenant }: Actor, part: DeviceDeployment) {
    const [artifact] = await artifactsById(reader, tenant, part.artifactId === null ? [] : [part.artifactId]);
    return artifact && { part, artifact };
  }

  function instructions(
    { tenant }: Actor,
    { part, artifact }: { part: DeviceDeployment; artifact: DeployableArtifact },
  ): DeploymentInstructions {
    const claims = { tenant, artifactId: artifact.id, deviceId: part.deviceId };
    return {
      id: part.deploymentId,
      artifact: {
        id: artifact.id,
        artifact_name: artifact.name,
        source: links.artifactLink(claims, deviceLinkSeconds),
        device_types_compatible: [...artifact.deviceTypes],
      },
    };
  }
}

interface Found {
  readonly deployment: Deployment;
  /** Undefined when the device has not begun it. */
  readonly part: DeviceDeployment | undefined;
}

/**
 * What the device is at, or else what is next: the oldest active deployment for it that is newer than all it has ended, and that
 * has a place left. So it never gets an older deployment than it had.
 */
async function findPart(
  reader: Reader,
  { tenant }: Actor,
  deviceId: string,
  now: number,
): Promise<Found | undefined> {
  const deployments = deploymentStore.forTenant(tenant);
  const parts = deviceDeploymentStore.forTenant(tenant);
  const part = await parts.active(reader, deviceId);
  if (part !== undefined) {
    const deployment = await deployments.get(reader, part.deploymentId);
    return deployment && { deployment, part };
  }
  const deployment = await nextDeployment(reader, tenant, deviceId, now);
  return deployment && { deployment, part: undefined };
}

export async function nextDeployment(
  reader: Reader,
  tenant: string,
  deviceId: string,
  now: number,
): Promise<Deployment | undefined> {
  const deployments = deploymentStore.forTenant(tenant);
  const after = (await deviceDeploymentStore.forTenant(tenant).latestEnded(reader, deviceId)) ?? -1;
  for (const deployment of await deployments.activeFor(reader, deviceId, after)) {
    const places = openPlaces(await deployments.phases(reader, deployment.id), deployment.maxDevices, now);
    // A device that was in it before has its place already.
    if (deployment.deviceCount < places) return deployment;
    if ((await deviceDeploymentStore.forTenant(tenant).get(reader, deployment.id, deviceId)) !== undefined)
      return deployment;
  }
  return undefined;
}
