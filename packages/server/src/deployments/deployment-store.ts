import type { Page } from '@tandem/api';
import { sql, type ExpressionBuilder, type Selectable } from 'kysely';
import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { statistics, type DeploymentStatus, type Statistics } from './deployment-status.ts';
import type { Phase } from './deployment-phases.ts';
import { chunkHolds, idsOfChunk, targetChunks, type DeploymentTarget } from './deployment-target.ts';
import type { DeviceDeploymentStatus } from './device-deployment-statuses.ts';
import { preparedQuery } from './prepared-query.ts';

export interface Deployment {
  readonly id: string;
  readonly name: string;
  readonly artifactName: string;
  readonly kind: 'software' | 'configuration';
  readonly created: number;
  readonly finished: number | null;
  readonly aborted: number | null;
  readonly status: DeploymentStatus;
  readonly maxDevices: number;
  readonly deviceCount: number;
  readonly forceInstallation: boolean;
  readonly target: DeploymentTarget;
  readonly groups: readonly string[];
  readonly totalSizeBytes: number;
}

export interface DeploymentFilter {
  readonly statuses?: readonly DeploymentStatus[] | undefined;
  readonly kind?: Deployment['kind'] | undefined;
  /** Part of the name or of the artifact's name, whatever its case. */
  readonly search?: string | undefined;
  readonly names?: readonly string[] | undefined;
  readonly ids?: readonly string[] | undefined;
  /** Milliseconds since 1970, both included. */
  readonly createdFrom?: number | undefined;
  readonly createdTo?: number | undefined;
}

/** SQL on the deployments of one tenant and what belongs to them; the devices' own part is in device-deployment-store. */
export const deploymentStore = {
  forTenant: (tenant: string) => ({
    /** The newest creation time there is: the next deployment's is later. */
    latestCreated: async (reader: Reader): Promise<number | undefined> => {
      const found = await reader
        .selectFrom('deployments')
        .where('tenant', '=', tenant)
        .select((select) => select.fn.max('created').as('created'))
        .executeTakeFirst();
      return found?.created ?? undefined;
    },

    hasActiveFingerprint: async (reader: Reader, fingerprint: string): Promise<boolean> =>
      (await reader
        .selectFrom('deployments')
        .where('tenant', '=', tenant)
        .where('fingerprint', '=', fingerprint)
        .select('id')
        .executeTakeFirst()) !== undefined,

    insert: async (
      tx: Transaction,
      deployment: Deployment,
      parts: {
        readonly fingerprint: string;
        readonly deviceIds: readonly string[];
        readonly artifactIds: readonly string[];
        readonly phases: readonly Phase[];
      },
    ): Promise<void> => {
      const key = { tenant, deployment_id: deployment.id };
      await tx
        .insertInto('deployments')
        .values({
          tenant,
          id: deployment.id,
          name: deployment.name,
          artifact_name: deployment.artifactName,
          kind: deployment.kind,
          created: deployment.created,
          finished: null,
          aborted: null,
          status: deployment.status,
          active: 1,
          max_devices: deployment.maxDevices,
          device_count: 0,
          force_installation: deployment.forceInstallation ? 1 : 0,
          target: JSON.stringify(deployment.target),
          group_names: JSON.stringify(deployment.groups),
          fingerprint: parts.fingerprint,
          total_size_bytes: 0,
        })
        .execute();
      for (const { firstDeviceId, lastDeviceId, deviceIds } of targetChunks(parts.deviceIds)) {
        await tx
          .insertInto('deployment_targets')
          .values({
            ...key,
            first_device_id: firstDeviceId,
            last_device_id: lastDeviceId,
            device_ids: deviceIds,
          })
          .execute();
      }
      for (const [phase, { batchSize, starts }] of parts.phases.entries()) {
        await tx
          .insertInto('deployment_phases')
          .values({ ...key, phase, batch_size: batchSize, starts })
          .execute();
      }
      await insertArtifacts(tx, tenant, deployment.id, parts.artifactIds);
      await tx
        .insertInto('deployment_statistics')
        .values({ ...key, status: 'pending', devices: deployment.maxDevices })
        .execute();
    },

    get: async (reader: Reader, id: string): Promise<Deployment | undefined> => {
      const [row] = await deploymentById(reader, { tenant, id });
      return row && deployment(row);
    },

    getMany: async (reader: Reader, ids: readonly string[]): Promise<Deployment[]> => {
      if (ids.length === 0) return [];
      const rows = await deployments(reader, tenant).where('id', 'in', ids).selectAll().execute();
      return rows.map(deployment);
    },

    search: async (
      reader: Reader,
      filter: DeploymentFilter,
      direction: 'asc' | 'desc',
      page: Page,
    ): Promise<Deployment[]> => {
      const rows = await deployments(reader, tenant)
        .where((where) => where.and(conditions(where, filter)))
        .orderBy('created', direction)
        .limit(page.perPage)
        .offset(page.offset)
        .selectAll()
        .execute();
      return rows.map(deployment);
    },

    count: async (reader: Reader, filter: DeploymentFilter): Promise<number> => {
      const found = await deployments(reader, tenant)
        .where((where) => where.and(conditions(where, filter)))
        .select((select) => select.fn.countAll<number>().as('count'))
        .executeTakeFirst();
      return Number(found?.count ?? 0);
    },

    /** Active deployments made after `after` that target the device, oldest first. */
    activeFor: async (reader: Reader, deviceId: string, after: number): Promise<Deployment[]> => {
      const rows = await activeTargeting(reader, { tenant, deviceId, after });
      return rows.filter(({ device_ids }) => chunkHolds(device_ids, deviceId)).map(deployment);
    },

    /** Ids of all deployments that target the device, finished ones too. */
    idsTargeting: async (reader: Reader, deviceId: string): Promise<string[]> => {
      const rows = await reader
        .selectFrom('deployment_targets')
        .where('tenant', '=', tenant)
        .where('first_device_id', '<=', deviceId)
        .where('last_device_id', '>=', deviceId)
        .select(['deployment_id', 'device_ids'])
        .execute();
      return rows.flatMap(({ deployment_id, device_ids }) =>
        chunkHolds(device_ids, deviceId) ? deployment_id : [],
      );
    },

    targets: async (reader: Reader, id: string, maxChunks?: number): Promise<string[]> => {
      const rows = await reader
        .selectFrom('deployment_targets')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', id)
        .orderBy('first_device_id')
        .$if(maxChunks !== undefined, (query) => query.limit(maxChunks ?? 0))
        .select('device_ids')
        .execute();
      return rows.flatMap(({ device_ids }) => idsOfChunk(device_ids));
    },

    phases: async (reader: Reader, id: string): Promise<Phase[]> => {
      const rows = await phasesOf(reader, { tenant, id });
      return rows.map(({ batch_size, starts }) => ({ batchSize: batch_size, starts }));
    },

    artifactIds: async (
      reader: Reader,
      ids: readonly string[],
    ): Promise<ReadonlyMap<string, readonly string[]>> => {
      if (ids.length === 0) return new Map();
      const rows = await reader
        .selectFrom('deployment_artifacts')
        .where('tenant', '=', tenant)
        .where('deployment_id', 'in', ids)
        .select(['deployment_id', 'artifact_id'])
        .orderBy('artifact_id')
        .execute();
      const found = new Map<string, string[]>();
      for (const { deployment_id, artifact_id } of rows) {
        found.set(deployment_id, [...(found.get(deployment_id) ?? []), artifact_id]);
      }
      return found;
    },

    /** Server contract 4.5: an artifact that joins a release is served by its unfinished deployments, too. */
    addArtifactToUnfinished: async (
      tx: Transaction,
      artifact: { id: string; name: string },
    ): Promise<void> => {
      const unfinished = await deployments(tx, tenant)
        .where('active', '=', 1)
        .where('artifact_name', '=', artifact.name)
        .select('id')
        .execute();
      for (const { id } of unfinished) await insertArtifacts(tx, tenant, id, [artifact.id]);
    },

    /** Active deployments that may serve one of the artifacts. */
    activeUsing: async (reader: Reader, artifactIds: readonly string[]): Promise<string[]> => {
      if (artifactIds.length === 0) return [];
      const rows = await reader
        .selectFrom('deployment_artifacts')
        .innerJoin('deployments', (join) =>
          join
            .onRef('deployments.tenant', '=', 'deployment_artifacts.tenant')
            .onRef('deployments.id', '=', 'deployment_artifacts.deployment_id'),
        )
        .where('deployment_artifacts.tenant', '=', tenant)
        .where('deployment_artifacts.artifact_id', 'in', artifactIds)
        .where('deployments.active', '=', 1)
        .select('deployments.id')
        .distinct()
        .orderBy('deployments.id')
        .execute();
      return rows.map(({ id }) => id);
    },

    statistics: async (reader: Reader, ids: readonly string[]): Promise<ReadonlyMap<string, Statistics>> => {
      const rows =
        ids.length === 0
          ? []
          : await reader
              .selectFrom('deployment_statistics')
              .where('tenant', '=', tenant)
              .where('deployment_id', 'in', ids)
              .select(['deployment_id', 'status', 'devices'])
              .execute();
      const counts = new Map<string, Partial<Record<DeviceDeploymentStatus, number>>>();
      for (const { deployment_id, status, devices } of rows) {
        counts.set(deployment_id, { ...counts.get(deployment_id), [status]: devices });
      }
      return new Map(ids.map((id) => [id, statistics(counts.get(id))]));
    },

    /** One device goes from one counter to another. */
    moveDevice: async (
      tx: Transaction,
      id: string,
      from: DeviceDeploymentStatus,
      to: DeviceDeploymentStatus,
    ): Promise<void> => {
      if (from === to) return;
      for (const [status, devices] of [
        [from, -1],
        [to, 1],
      ] as const) {
        await tx
          .insertInto('deployment_statistics')
          .values({ tenant, deployment_id: id, status, devices })
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'deployment_id', 'status'])
              .doUpdateSet({ devices: sql<number>`deployment_statistics.devices + ${devices}` }),
          )
          .execute();
      }
    },

    replaceStatistics: async (tx: Transaction, id: string, counts: Partial<Statistics>): Promise<void> => {
      await tx
        .deleteFrom('deployment_statistics')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', id)
        .execute();
      for (const [status, devices] of Object.entries(statistics(counts))) {
        // The keys of statistics are the statuses.
        const key = { tenant, deployment_id: id, status: status as DeviceDeploymentStatus };
        if (devices > 0)
          await tx
            .insertInto('deployment_statistics')
            .values({ ...key, devices })
            .execute();
      }
    },

    countDevice: (tx: Transaction, id: string) =>
      tx
        .updateTable('deployments')
        .set({ device_count: sql<number>`device_count + 1` })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute(),

    addSize: (tx: Transaction, id: string, sizeBytes: number) =>
      tx
        .updateTable('deployments')
        .set({ total_size_bytes: sql<number>`total_size_bytes + ${sizeBytes}` })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute(),

    setStatus: (
      tx: Transaction,
      id: string,
      { status, finished, aborted }: Pick<Deployment, 'status' | 'finished' | 'aborted'>,
    ) =>
      tx
        .updateTable('deployments')
        .set({
          status,
          finished,
          aborted,
          active: status === 'finished' ? 0 : 1,
          ...(status === 'finished' ? { fingerprint: null } : {}),
        })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute(),
  }),
};

export type DeploymentStore = ReturnType<(typeof deploymentStore)['forTenant']>;

type DeploymentRow = Selectable<Tables['deployments']>;

const deployments = (reader: Reader, tenant: string) =>
  reader.selectFrom('deployments').where('tenant', '=', tenant);

const deploymentById = preparedQuery<{ tenant: string; id: string }, DeploymentRow>((reader, value) =>
  reader
    .selectFrom('deployments')
    .where('tenant', '=', value('tenant'))
    .where('id', '=', value('id'))
    .selectAll(),
);

const activeTargeting = preparedQuery<
  { tenant: string; deviceId: string; after: number },
  DeploymentRow & { device_ids: string }
>((reader, value) =>
  reader
    .selectFrom('deployments')
    .innerJoin('deployment_targets', (join) =>
      join
        .onRef('deployment_targets.tenant', '=', 'deployments.tenant')
        .onRef('deployment_targets.deployment_id', '=', 'deployments.id'),
    )
    .where('deployments.tenant', '=', value('tenant'))
    // Not as a value: the index holds active deployments only, and the engine has to see that it fits.
    .where('deployments.active', '=', sql.lit(1))
    .where('deployments.created', '>', value('after'))
    // The one row whose range may hold the id, found by the key: a range over all rows would read half of them.
    .where('deployment_targets.first_device_id', '=', (where) =>
      where
        .selectFrom('deployment_targets as rows')
        .whereRef('rows.tenant', '=', 'deployments.tenant')
        .whereRef('rows.deployment_id', '=', 'deployments.id')
        .where('rows.first_device_id', '<=', value('deviceId'))
        .select((select) => select.fn.max('rows.first_device_id').as('first')),
    )
    .where('deployment_targets.last_device_id', '>=', value('deviceId'))
    .orderBy('deployments.created')
    .selectAll('deployments')
    .select('deployment_targets.device_ids'),
);

const phasesOf = preparedQuery<{ tenant: string; id: string }, { batch_size: number | null; starts: number }>(
  (reader, value) =>
    reader
      .selectFrom('deployment_phases')
      .where('tenant', '=', value('tenant'))
      .where('deployment_id', '=', value('id'))
      .orderBy('phase')
      .select(['batch_size', 'starts']),
);

const deployment = (row: DeploymentRow): Deployment => ({
  id: row.id,
  name: row.name,
  artifactName: row.artifact_name,
  kind: row.kind,
  created: row.created,
  finished: row.finished,
  aborted: row.aborted,
  status: row.status,
  maxDevices: row.max_devices,
  deviceCount: row.device_count,
  forceInstallation: row.force_installation === 1,
  // Both were written by `insert` alone.
  target: JSON.parse(row.target) as DeploymentTarget,
  groups: JSON.parse(row.group_names) as string[],
  totalSizeBytes: row.total_size_bytes,
});

async function insertArtifacts(tx: Transaction, tenant: string, id: string, artifactIds: readonly string[]) {
  if (artifactIds.length === 0) return;
  await tx
    .insertInto('deployment_artifacts')
    .values(artifactIds.map((artifact_id) => ({ tenant, deployment_id: id, artifact_id })))
    .execute();
}

function conditions(where: ExpressionBuilder<Tables, 'deployments'>, filter: DeploymentFilter) {
  const { statuses, kind, search, names, ids, createdFrom, createdTo } = filter;
  const pattern = `%${(search ?? '').replaceAll(/[\\%_]/g, '\\$&')}%`;
  return [
    ...(statuses === undefined ? [] : [where('status', 'in', statuses)]),
    ...(kind === undefined ? [] : [where('kind', '=', kind)]),
    ...(search === undefined || search === ''
      ? []
      : [
          sql<boolean>`(lower(name) like lower(${pattern}) escape '\\' or lower(artifact_name) like lower(${pattern}) escape '\\')`,
        ]),
    ...(names === undefined ? [] : [where('name', 'in', names)]),
    ...(ids === undefined ? [] : [where('id', 'in', ids)]),
    ...(createdFrom === undefined ? [] : [where('created', '>=', createdFrom)]),
    ...(createdTo === undefined ? [] : [where('created', '<=', createdTo)]),
  ];
}
