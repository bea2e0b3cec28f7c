import type { ArtifactImage, Configuration, LogMessage, Page } from '@tandem/api';
import type { Actor } from '../actor.ts';
import type { Database } from '../database/open-database.ts';
import type { Reader } from '../database/tables.ts';
import { ServerError } from '../server-error.ts';
import { seesDevice, visibleDevices } from '../visibility.ts';
import { configurationsOf } from './configuration-deployments.ts';
import { deploymentStatisticsStore } from './deployment-statistics-store.ts';
import { statistics, type Statistics } from './deployment-status.ts';
import { deploymentStore, type Deployment, type DeploymentFilter } from './deployment-store.ts';
import { deploymentTargetStore } from './deployment-target-store.ts';
import { deviceDeploymentListStore, type FailureGroup } from './device-deployment-list-store.ts';
import { deviceDeploymentLogStore } from './device-deployment-log-store.ts';
import { deviceDeploymentStore, type DeviceDeployment } from './device-deployment-store.ts';
import { statusReportStore, type KeptStatusReport } from './status-report-store.ts';
import type { DeviceDeploymentStatus } from './device-deployment-statuses.ts';

export interface DeploymentReadingNeeds {
  readonly database: Database;
  /** Those that the actor sees; deleted ones, too: history names them. */
  readonly imagesOf: (
    reader: Reader,
    actor: Actor,
    ids: readonly string[],
  ) => Promise<ReadonlyMap<string, ArtifactImage>>;
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
  /** What a deployment of a configuration brings. */
  readonly configuration: Configuration | undefined;
  /** The first of the targeted devices, where they were listed. */
  readonly firstTargets: readonly string[];
}

export interface ShownPart extends DeviceDeployment {
  readonly image: ArtifactImage | undefined;
}

export type DeploymentReading = ReturnType<typeof createDeploymentReading>;

const maxFailureGroups = 50;
/** Ids of a list of devices are shown up to these many, they may be a million: of one deployment, and of each in a list of them. */
const maxShownTargets = { alone: 1000, listed: 100 } as const;
/** Lists without pages, for clients that know no other, go so far: some five megabytes, made in one turn of the event loop. */
const maxUnpagedDevices = 20_000;
const maxUnpagedIds = 100_000;
/** The history of a device is counted up to here (server contract 4.6). */
const maxCountedHistory = 10_000;

/** What is shown of deployments, and of the devices in them (server contract 4.4, 4.6). All throw `notFound`. */
export function createDeploymentReading({ database, imagesOf, deviceByAttribute }: DeploymentReadingNeeds) {
  const deployments = (actor: Actor) => deploymentStore.seenBy(actor);
  const targets = (actor: Actor) => deploymentTargetStore.forTenant(actor.tenant);
  const counters = (actor: Actor) => deploymentStatisticsStore.forTenant(actor.tenant);
  const parts = (actor: Actor) => deviceDeploymentListStore.seenBy(actor);

  const existing = async (reader: Reader, actor: Actor, id: string): Promise<Deployment> => {
    const found = await deployments(actor).get(reader, id);
    if (found === undefined) throw new ServerError('notFound', 'Deployment not found');
    return found;
  };

  const shown = async (
    reader: Reader,
    actor: Actor,
    found: readonly Deployment[],
    maxTargets: number,
  ): Promise<ShownDeployment[]> => {
    const ids = found.map(({ id }) => id);
    const counts = await counters(actor).get(reader, ids);
    const artifactIds = await deploymentStore.forTenant(actor.tenant).artifactIds(reader, ids);
    const configurations = await configurationsOf(
      reader,
      actor.tenant,
      found.filter(({ kind }) => kind === 'configuration').map(({ id }) => id),
    );
    const listed = await listedTargets(reader, actor, found, maxTargets);
    return found.map((deployment) => ({
      ...deployment,
      statistics: counts.get(deployment.id) ?? statistics(),
      artifactIds: artifactIds.get(deployment.id) ?? [],
      configuration: configurations.get(deployment.id),
      firstTargets: listed.get(deployment.id) ?? [],
    }));
  };

  const withImages = async (
    reader: Reader,
    actor: Actor,
    found: readonly DeviceDeployment[],
  ): Promise<ShownPart[]> => {
    const ids = new Set(found.flatMap(({ artifactId }) => artifactId ?? []));
    const images = await imagesOf(reader, actor, [...ids]);
    return found.map((part) => ({ ...part, image: images.get(part.artifactId ?? '') }));
  };

  const seesPart = async (actor: Actor, id: string, deviceId: string): Promise<boolean> =>
    (await deployments(actor).get(database.read, id)) !== undefined &&
    (await seesDevice(database.read, actor, deviceId));

  return {
    get: async (actor: Actor, id: string): Promise<ShownDeployment> => {
      const [one] = await shown(
        database.read,
        actor,
        [await existing(database.read, actor, id)],
        maxShownTargets.alone,
      );
      if (one === undefined) throw new ServerError('notFound', 'Deployment not found');
      return one;
    },

    page: async (
      actor: Actor,
      filter: DeploymentFilter,
      direction: 'asc' | 'desc',
      page: Page,
      signal: AbortSignal,
    ) => {
      const reader = database.searchFor(signal);
      const found = await deployments(actor).search(reader, filter, direction, page);
      return {
        deployments: await shown(reader, actor, found, maxShownTargets.listed),
        total: await deployments(actor).count(reader, filter),
      };
    },

    /** Ids of the deployments for the device that an attribute names: those that target it, and those named by its id. */
    idsByAttribute: async (
      actor: Actor,
      attribute: { readonly scope: string; readonly name: string; readonly value: string },
      signal: AbortSignal,
    ): Promise<string[]> => {
      const reader = database.searchFor(signal);
      const deviceId = await deviceByAttribute(reader, actor, attribute);
      if (deviceId === undefined) return [];
      const everything = { page: 1, perPage: maxCountedHistory, offset: 0 };
      const named = await deployments(actor).search(reader, { names: [deviceId] }, 'desc', everything);
      return [...(await targets(actor).idsTargeting(reader, deviceId)), ...named.map(({ id }) => id)];
    },

    statistics: async (actor: Actor, id: string): Promise<Statistics> => {
      await existing(database.read, actor, id);
      return (await counters(actor).get(database.read, [id])).get(id) ?? statistics();
    },

    /** Of those ids that are deployments. */
    statisticsOf: async (
      actor: Actor,
      ids: readonly string[],
      signal: AbortSignal,
    ): Promise<{ id: string; stats: Statistics }[]> => {
      const reader = database.searchFor(signal);
      const found = (await deployments(actor).getMany(reader, ids)).map(({ id }) => id);
      const counts = await counters(actor).get(reader, found);
      return found.map((id) => ({ id, stats: counts.get(id) ?? statistics() }));
    },

    /** In one piece; throws `badRequest` where that would be too large. */
    devices: async (actor: Actor, id: string, signal: AbortSignal): Promise<ShownPart[]> => {
      const reader = database.searchFor(signal);
      const { deviceCount } = await existing(database.read, actor, id);
      if (deviceCount > maxUnpagedDevices) {
        throw new ServerError(
          'badRequest',
          `${deviceCount} devices are too many for one answer: read them by pages, .../devices/list`,
        );
      }
      return withImages(reader, actor, await parts(actor).ofDeployment(reader, id));
    },

    devicePage: async (
      actor: Actor,
      id: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      page: Page,
      signal: AbortSignal,
    ) => {
      const reader = database.searchFor(signal);
      await existing(database.read, actor, id);
      const { devices, total } = await parts(actor).pageOfDeployment(reader, id, statuses, page);
      return { devices: await withImages(reader, actor, devices), total };
    },

    failures: async (actor: Actor, id: string, signal: AbortSignal): Promise<FailureGroup[]> => {
      await existing(database.read, actor, id);
      return parts(actor).failures(database.searchFor(signal), id, maxFailureGroups);
    },

    /** In one piece; throws `badRequest` where that would be too large. */
    targets: async (actor: Actor, id: string, signal: AbortSignal): Promise<string[]> => {
      const reader = database.searchFor(signal);
      const { maxDevices } = await existing(database.read, actor, id);
      if (maxDevices > maxUnpagedIds) {
        throw new ServerError('badRequest', `the ids of ${maxDevices} devices are too many for one answer`);
      }
      return seenOf(reader, actor, await targets(actor).deviceIds(reader, id));
    },

    log: async (actor: Actor, id: string, deviceId: string): Promise<LogMessage[]> => {
      const messages = (await seesPart(actor, id, deviceId))
        ? await deviceDeploymentLogStore.forTenant(actor.tenant).get(database.read, id, deviceId)
        : undefined;
      if (messages === undefined) throw new ServerError('notFound', 'Resource not found');
      return messages;
    },

    /** Throws `notFound` for a device that has not asked. */
    timeline: async (actor: Actor, id: string, deviceId: string): Promise<KeptStatusReport[]> => {
      const part = (await seesPart(actor, id, deviceId))
        ? await deviceDeploymentStore.forTenant(actor.tenant).get(database.read, id, deviceId)
        : undefined;
      if (part === undefined) throw new ServerError('notFound', 'Resource not found');
      return statusReportStore.forTenant(actor.tenant).of(database.read, id, deviceId);
    },

    history: async (
      actor: Actor,
      deviceId: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      page: Page,
      signal: AbortSignal,
    ) => {
      if (!(await seesDevice(database.read, actor, deviceId))) return { entries: [], total: 0 };
      const reader = database.searchFor(signal);
      const found = await parts(actor).history(reader, deviceId, statuses, page);
      const ids = new Set(found.map(({ deploymentId }) => deploymentId));
      const own = await shown(
        reader,
        actor,
        await deployments(actor).getMany(reader, [...ids]),
        maxShownTargets.listed,
      );
      return {
        entries: (await withImages(reader, actor, found)).map((part) => ({
          part,
          deployment: own.find(({ id }) => id === part.deploymentId),
        })),
        total: await parts(actor).countHistory(reader, deviceId, statuses, maxCountedHistory),
      };
    },
  };
}

async function listedTargets(
  reader: Reader,
  actor: Actor,
  found: readonly Deployment[],
  maxTargets: number,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const ids = found
    .filter(({ target }) => target.kind === 'devices' && target.deviceIds === 'listed')
    .map(({ id }) => id);
  const first = await deploymentTargetStore.forTenant(actor.tenant).firstDeviceIds(reader, ids, maxTargets);
  const seen = await visibleDevices(reader, actor, [...new Set([...first.values()].flat())]);
  return new Map([...first].map(([id, deviceIds]) => [id, deviceIds.filter((one) => seen.has(one))]));
}

async function seenOf(reader: Reader, actor: Actor, deviceIds: readonly string[]): Promise<string[]> {
  const seen = await visibleDevices(reader, actor, deviceIds);
  return deviceIds.filter((id) => seen.has(id));
}
