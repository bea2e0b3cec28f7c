import type { DeploymentInstructions } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader } from '../database/tables.ts';
import type { ArtifactLinks } from '../http/artifact-link.ts';
import type { ConfigurationLinks } from '../http/configuration-link.ts';
import type { Log } from '../log.ts';
import { chooseArtifact, type Candidate } from './choose-artifact.ts';
import { openPlaces } from './deployment-phases.ts';
import { deploymentStore, type Deployment } from './deployment-store.ts';
import { deploymentTargetStore } from './deployment-target-store.ts';
import { deviceDeploymentStore, type DeviceDeployment } from './device-deployment-store.ts';
import { beginPart, changeStatus, type Change } from './device-progress.ts';
import { nothingToDo, type Standing, type ToLookAt } from './nothing-to-do.ts';
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
  readonly configurationLinks: ConfigurationLinks;
  /** Those that are still there. */
  readonly artifactsById: (
    reader: Reader,
    tenant: string,
    ids: readonly string[],
  ) => Promise<readonly DeployableArtifact[]>;
  readonly log: Log;
}

/** What a device is told: instructions, nothing, or that it contradicts what it said before. */
export type NextUpdate = DeploymentInstructions | 'nothing' | 'conflict';

/** A device's link is good so long (server contract 4.8): it may have to download for a day. */
const deviceLinkSeconds = 24 * 60 * 60;

/**
 * Answers a device that asks for an update (server contract 4.8). Nearly all have nothing to do: that is seen by how they stand. Some
 * ask again for what they are at: a few reads of committed state. Only what has to be noted goes through a unit of work, where it is decided anew.
 */
export const nextUpdate = ({
  database,
  clock,
  links,
  configurationLinks,
  artifactsById,
  log,
}: NextUpdateNeeds) => {
  const nothing = nothingToDo(log);
  /** Whether it is 'nothing' whatever the device asks. */
  const isSettled = (actor: Actor, standing: Standing): boolean =>
    nothing.toLookAt(database.read, actor.tenant, actor.subject.id, standing) === undefined;
  const next = async (actor: Actor, standing: Standing, request: UpdateRequest): Promise<NextUpdate> => {
    const now = clock();
    const deviceId = actor.subject.id;
    const toLookAt = nothing.toLookAt(database.read, actor.tenant, deviceId, standing);
    if (toLookAt === undefined) return 'nothing';
    const seen = await findPart(database.read, actor, deviceId, now, toLookAt);
    if (seen === 'notTargeted') nothing.remember(actor.tenant, deviceId, toLookAt);
    if (typeof seen === 'string') return 'nothing';
    const assigned =
      alreadyAssigned(seen, request) ??
      (await database.unitOfWork((tx) => assign({ tx, actor, now }, deviceId, request, artifactsById)));
    if (typeof assigned === 'string') return assigned;
    if (assigned.kind === 'configuration') {
      const { deploymentId, artifactName } = assigned;
      const { deviceType } = request;
      return {
        id: deploymentId,
        artifact: {
          id: `${deploymentId}${deviceId}`,
          artifact_name: artifactName,
          source: configurationLinks.link({ tenant: actor.tenant, deploymentId, deviceType, deviceId }),
          device_types_compatible: [deviceType],
        },
      };
    }

    const [artifact] = await artifactsById(database.read, actor.tenant, [assigned.artifactId]);
    if (artifact === undefined) return 'nothing';
    const claims = { tenant: actor.tenant, artifactId: artifact.id, deviceId };
    return {
      id: assigned.deploymentId,
      artifact: {
        id: artifact.id,
        artifact_name: artifact.name,
        source: await links.artifactLink(claims, deviceLinkSeconds),
        device_types_compatible: [...artifact.deviceTypes],
      },
    };
  };
  return { next, isSettled };
};

type Assigned =
  | { readonly kind: 'artifact'; readonly deploymentId: string; readonly artifactId: string }
  | { readonly kind: 'configuration'; readonly deploymentId: string; readonly artifactName: string };

/** What the device was given before, when it asks for it again in the same words. */
function alreadyAssigned({ deployment, part }: Found, request: UpdateRequest): Assigned | undefined {
  if (part === undefined || part.request === null || !sameRequest(part.request, request)) return undefined;
  if (deployment.kind === 'configuration') return configurationOf(deployment);
  return part.artifactId === null
    ? undefined
    : { kind: 'artifact', deploymentId: deployment.id, artifactId: part.artifactId };
}

const configurationOf = ({ id, artifactName }: Deployment): Assigned => ({
  kind: 'configuration',
  deploymentId: id,
  artifactName,
});

/** Steps 3 to 8 of the contract: begins the device's part, notes its request, gives it its artifact. */
async function assign(
  change: Change,
  deviceId: string,
  request: UpdateRequest,
  artifactsById: NextUpdateNeeds['artifactsById'],
): Promise<Assigned | 'nothing' | 'conflict'> {
  const { tx, actor, now } = change;
  const deployments = deploymentStore.forTenant(actor.tenant);
  const parts = deviceDeploymentStore.forTenant(actor.tenant);
  const found = await findPart(tx, actor, deviceId, now);
  if (typeof found === 'string') return 'nothing';
  const { deployment } = found;
  const part = found.part ?? (await beginPart(change, deployment, deviceId, 'pending'));

  if (part.request === null) await parts.update(tx, part, { request });
  else if (!sameRequest(part.request, request)) {
    await changeStatus(change, part, 'failure');
    return 'conflict';
  }
  if (deployment.kind === 'configuration') {
    if (deployment.artifactName !== request.artifactName || part.status !== 'pending')
      return configurationOf(deployment);
    await changeStatus(change, part, 'already-installed');
    return 'nothing';
  }
  if (part.artifactId !== null)
    return { kind: 'artifact', deploymentId: deployment.id, artifactId: part.artifactId };

  const ids = (await deployments.artifactIds(tx, [deployment.id])).get(deployment.id) ?? [];
  const artifact = chooseArtifact(await artifactsById(tx, actor.tenant, ids), deviceProvides(request));
  if (artifact === undefined) {
    await changeStatus(change, part, 'noartifact');
    return 'nothing';
  }
  await parts.update(tx, part, { artifactId: artifact.id });
  const installed = artifact.name === request.artifactName && part.status === 'pending';
  if (installed && !deployment.forceInstallation) {
    await changeStatus(change, part, 'already-installed');
    return 'nothing';
  }
  await deployments.addSize(tx, deployment.id, artifact.sizeBytes);
  return { kind: 'artifact', deploymentId: deployment.id, artifactId: artifact.id };
}

interface Found {
  readonly deployment: Deployment;
  /** Undefined when the device has not begun it. */
  readonly part: DeviceDeployment | undefined;
}

/**
 * What the device is at, or else what is next: the oldest active deployment for it that is newer than all it has ended, and that
 * has a place left. So it never gets an older deployment than it had. What is known of it already need not be looked up.
 */
async function findPart(
  reader: Reader,
  { tenant }: Actor,
  deviceId: string,
  now: number,
  known?: ToLookAt,
): Promise<Found | NoneFound> {
  const part =
    known?.isBusy === false
      ? undefined
      : await deviceDeploymentStore.forTenant(tenant).active(reader, deviceId);
  if (part !== undefined) {
    const deployment = await deploymentStore.forTenant(tenant).get(reader, part.deploymentId);
    // Of an aborted one the device learns by its next report, whether its part was noted as ended yet or not.
    return deployment === undefined || deployment.aborted !== null ? 'noPlace' : { deployment, part };
  }
  const after = known?.mayRemember === true ? known.after : undefined;
  const next = await nextDeployment(reader, tenant, deviceId, now, after);
  return typeof next === 'string' ? next : { deployment: next, part: undefined };
}

/** That there is nothing for the device: no deployment after that one is for it, or what is for it has no place yet. */
export type NoneFound = 'notTargeted' | 'noPlace';

/** What the device, which is at nothing, would be given; `after` is at least what it has ended, and by default that. */
export async function nextDeployment(
  reader: Reader,
  tenant: string,
  deviceId: string,
  now: number,
  after?: number,
): Promise<Deployment | NoneFound> {
  const deployments = deploymentStore.forTenant(tenant);
  const parts = deviceDeploymentStore.forTenant(tenant);
  const ended = after ?? (await parts.latestEnded(reader, deviceId)) ?? -1;
  const targeting = await deploymentTargetStore.forTenant(tenant).activeFor(reader, deviceId, ended);
  for (const deployment of targeting) {
    const places = openPlaces(await deployments.phases(reader, deployment.id), deployment.maxDevices, now);
    // A device that was in it before has its place already.
    if (deployment.deviceCount < places) return deployment;
    if ((await parts.get(reader, deployment.id, deviceId)) !== undefined) return deployment;
  }
  return targeting.length === 0 ? 'notTargeted' : 'noPlace';
}
