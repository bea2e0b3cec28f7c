import { randomUUID } from 'node:crypto';
import type { ArtifactImage, LogMessage, Page } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Clock } from '../clock.ts';
import { recordChange } from '../database/change-log.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { firstPhaseStarted, singlePhase } from './deployment-phases.ts';
import { statistics, type Statistics } from './deployment-status.ts';
import { deploymentStore, type Deployment, type DeploymentFilter } from './deployment-store.ts';
import { idsPerChunk, type DeploymentTarget } from './deployment-target.ts';
import { deviceDeploymentStore, type DeviceDeployment } from './device-deployment-store.ts';
import type { DeviceDeploymentStatus } from './device-deployment-statuses.ts';
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
  /** Deleted ones, too: history names them. */
  readonly imagesOf: (
    reader: Reader,
    tenant: string,
    ids: readonly string[],
  ) => Promise<ReadonlyMap<string, ArtifactImage>>;
  readonly acceptedDevices: (reader: Reader, actor: Actor) => Promise<readonly string[]>;
  /** The accepted ones in the static group. */
  readonly devicesInGroup: (reader: Reader, actor: Actor, group: string) => Promise<readonly string[]>;
  readonly groupOfDevice: (reader: Reader, actor: Actor, deviceId: string) => Promise<string | null>;
  /** The device whose attribute has that value; for finding deployments by it. */
  readonly deviceByAttribute: (
    reader: Reader,
    actor: Actor,
    attribute: { readonly scope: string; readonly name: string; readonly value: string },
  ) => Promise<string | undefined>;
}

/** A deployment with all that is shown of it. */
export interface ShownDeployment extends Deployment {
  readonly statistics: Statistics;
  readonly artifactIds: readonly string[];
  /** The first of the targeted devices, where they were listed. */
  readonly firstTargets: readonly string[];
}

export interface ShownPart extends DeviceDeployment {
  readonly image: ArtifactImage | undefined;
}

export type Deployments = ReturnType<typeof createDeployments>;

/** The history of a device is counted up to here (server contract 4.6). */
const maxCountedHistory = 10_000;

/** The rules on deployments as a user sees them (server contract 4.5 to 4.7). */
export function createDeployments(needs: DeploymentNeeds) {
  const { database, clock } = needs;
  const deployments = (actor: Actor) => deploymentStore.forTenant(actor.tenant);
  const parts = (actor: Actor) => deviceDeploymentStore.forTenant(actor.tenant);

  const existing = async (reader: Reader, actor: Actor, id: string): Promise<Deployment> => {
    const found = await deployments(actor).get(reader, id);
    if (found === undefined) throw new ServerError('notFound', 'Deployment not found');
    return found;
  };

  const shown = async (actor: Actor, found: readonly Deployment[]): Promise<ShownDeployment[]> => {
    const ids = found.map(({ id }) => id);
    const counts = await deployments(actor).statistics(database.read, ids);
    const artifactIds = await deployments(actor).artifactIds(database.read, ids);
    return Promise.all(
      found.map(async (deployment) => ({
        ...deployment,
        statistics: counts.get(deployment.id) ?? statistics(),
        artifactIds: artifactIds.get(deployment.id) ?? [],
        firstTargets: await listedTargets(database.read, actor, deployment),
      })),
    );
  };

  const withImages = async (actor: Actor, found: readonly DeviceDeployment[]): Promise<ShownPart[]> => {
    const ids = new Set(found.flatMap(({ artifactId }) => artifactId ?? []));
    const images = await needs.imagesOf(database.read, actor.tenant, [...ids]);
    return found.map((part) => ({ ...part, image: images.get(part.artifactId ?? '') }));
  };

  return {
    /**
     * Returns the id. Who is targeted is settled here, for good: whoever joins the group later is not, whoever leaves it still is.
     * Throws `badRequest`, `unprocessable`, `conflict`.
     */
    create: (actor: Actor, wanted: WantedDeployment): Promise<string> =>
      database.unitOfWork(async (tx) => {
        const deviceIds = [...new Set(await wantedDevices(needs, tx, actor, wanted))];
        if (deviceIds.length === 0) throw new ServerError('badRequest', 'No devices for the deployment');
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
            groups: await groupsOf(needs, tx, actor, wanted, deviceIds),
            totalSizeBytes: 0,
          },
          { fingerprint: print, deviceIds, artifactIds: artifacts.map((artifact) => artifact.id), phases },
        );
        await recordChange(tx, actor, { kind: 'deployment.created', ref: id, time: now });
        return id;
      }),

    get: async (actor: Actor, id: string): Promise<ShownDeployment> => {
      const [one] = await shown(actor, [await existing(database.read, actor, id)]);
      if (one === undefined) throw new ServerError('notFound', 'Deployment not found');
      return one;
    },

    page: async (actor: Actor, filter: DeploymentFilter, direction: 'asc' | 'desc', page: Page) => ({
      deployments: await shown(
        actor,
        await deployments(actor).search(database.read, filter, direction, page),
      ),
      total: await deployments(actor).count(database.read, filter),
    }),

    /** Ids of the deployments for the device that an attribute names: those that target it, and those named by its id. */
    idsByAttribute: async (
      actor: Actor,
      attribute: { readonly scope: string; readonly name: string; readonly value: string },
    ): Promise<string[]> => {
      const deviceId = await needs.deviceByAttribute(database.read, actor, attribute);
      if (deviceId === undefined) return [];
      const everything = { page: 1, perPage: maxCountedHistory, offset: 0 };
      const named = await deployments(actor).search(database.read, { names: [deviceId] }, 'desc', everything);
      return [
        ...(await deployments(actor).idsTargeting(database.read, deviceId)),
        ...named.map(({ id }) => id),
      ];
    },

    /**
     * Devices that are at it are aborted, which they learn by their next report. What never asked vanishes from the counters
     * (server contract 4.7). Throws `unprocessable`.
     */
    abort: (actor: Actor, id: string): Promise<void> =>
      database.unitOfWork(async (tx) => {
        const deployment = await deployments(actor).get(tx, id);
        if (deployment === undefined || deployment.status === 'finished') {
          throw new ServerError('unprocessable', 'Deployment already finished');
        }
        const now = clock();
        await deployments(actor).setStatus(tx, id, { status: 'finished', finished: now, aborted: now });
        for (const part of await parts(actor).allActive(tx, { deploymentId: id })) {
          await changeStatus({ tx, actor, now }, part, 'aborted');
        }
        await deployments(actor).replaceStatistics(tx, id, await parts(actor).countByStatus(tx, id));
        await recordChange(tx, actor, { kind: 'deployment.aborted', ref: id, time: now });
      }),

    statistics: async (actor: Actor, id: string): Promise<Statistics> => {
      await existing(database.read, actor, id);
      return (await deployments(actor).statistics(database.read, [id])).get(id) ?? statistics();
    },

    /** Of those ids that are deployments. */
    statisticsOf: async (
      actor: Actor,
      ids: readonly string[],
    ): Promise<{ id: string; stats: Statistics }[]> => {
      const found = (await deployments(actor).getMany(database.read, ids)).map(({ id }) => id);
      const counts = await deployments(actor).statistics(database.read, found);
      return found.map((id) => ({ id, stats: counts.get(id) ?? statistics() }));
    },

    devices: async (actor: Actor, id: string): Promise<ShownPart[]> => {
      await existing(database.read, actor, id);
      return withImages(actor, await parts(actor).ofDeployment(database.read, id, undefined));
    },

    devicePage: async (
      actor: Actor,
      id: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      page: Page,
    ) => {
      await existing(database.read, actor, id);
      return {
        devices: await withImages(actor, await parts(actor).ofDeployment(database.read, id, statuses, page)),
        total: await parts(actor).countOfDeployment(database.read, id, statuses),
      };
    },

    targets: async (actor: Actor, id: string): Promise<string[]> => {
      await existing(database.read, actor, id);
      return deployments(actor).targets(database.read, id);
    },

    log: async (actor: Actor, id: string, deviceId: string): Promise<LogMessage[]> => {
      const messages = await parts(actor).getLog(database.read, id, deviceId);
      if (messages === undefined) throw new ServerError('notFound', 'Resource not found');
      return messages;
    },

    history: async (
      actor: Actor,
      deviceId: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      page: Page,
    ) => {
      const found = await parts(actor).history(database.read, deviceId, statuses, page);
      const ids = new Set(found.map(({ deploymentId }) => deploymentId));
      const own = await shown(actor, await deployments(actor).getMany(database.read, [...ids]));
      return {
        entries: (await withImages(actor, found)).map((part) => ({
          part,
          deployment: own.find(({ id }) => id === part.deploymentId),
        })),
        total: await parts(actor).countHistory(database.read, deviceId, statuses, maxCountedHistory),
      };
    },
  };
}

async function wantedDevices(
  { acceptedDevices, devicesInGroup }: DeploymentNeeds,
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
  { groupOfDevice }: DeploymentNeeds,
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

const listedTargets = async (
  reader: Reader,
  { tenant }: Actor,
  { id, target }: Deployment,
): Promise<string[]> =>
  target.kind === 'devices' && target.deviceIds === 'listed'
    ? deploymentStore.forTenant(tenant).targets(reader, id, maxShownChunks)
    : [];

/** A filter shows a thousand ids at most; no more are read for it. */
const maxShownChunks = Math.ceil(1000 / idsPerChunk);
