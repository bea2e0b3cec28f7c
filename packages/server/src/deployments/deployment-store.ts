import type { Page } from '@tandem/api';
import { sql, type ExpressionBuilder, type Selectable } from 'kysely';
import type { Actor } from '../actor.ts';
import { engineOf } from '../database/sql-differences.ts';
import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { isVisibleDeployment, seesDeployment } from '../visibility.ts';
import type { DeploymentStatus } from './deployment-status.ts';
import type { Phase } from './deployment-phases.ts';
import type { DeploymentTarget } from './deployment-target.ts';
import { preparedQuery } from '../database/prepared-query.ts';

/** Instants in milliseconds since 1970. */
export interface Deployment {
  readonly id: string;
  readonly name: string;
  readonly artifactName: string;
  readonly kind: 'software' | 'configuration';
  readonly created: number;
  readonly finished: number | null;
  readonly aborted: number | null;
  readonly status: DeploymentStatus;
  /** Devices it is for. */
  readonly maxDevices: number;
  /** Those of them that have asked. */
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

/**
 * SQL on the deployments of one tenant, or on what an actor sees of them, on their phases and artifacts. Whom they are for and how far
 * they are is beside it.
 */
export const deploymentStore = {
  seenBy: (actor: Actor) => ({
    get: async (reader: Reader, id: string): Promise<Deployment | undefined> => {
      const [row] = await deploymentById(reader, { tenant: actor.tenant, id });
      const found = row && deployment(row);
      return found !== undefined && seesDeployment(actor, found) ? found : undefined;
    },

    getMany: async (reader: Reader, ids: readonly string[]): Promise<Deployment[]> => {
      if (ids.length === 0) return [];
      const rows = await visible(reader, actor).where('id', 'in', ids).selectAll().execute();
      return rows.map(deployment);
    },

    search: async (
      reader: Reader,
      filter: DeploymentFilter,
      direction: 'asc' | 'desc',
      page: Page,
    ): Promise<Deployment[]> => {
      const rows = await visible(reader, actor)
        .where((where) => where.and(conditions(where, filter)))
        .orderBy('created', direction)
        .limit(page.perPage)
        .offset(page.offset)
        .selectAll()
        .execute();
      return rows.map(deployment);
    },

    count: async (reader: Reader, filter: DeploymentFilter): Promise<number> => {
      const found = await visible(reader, actor)
        .where((where) => where.and(conditions(where, filter)))
        .select((select) => select.fn.countAll<number>().as('count'))
        .executeTakeFirst();
      return Number(found?.count ?? 0);
    },
  }),

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

    /** Nobody sees it before `begin`: its targets are still being written. */
    prepare: async (tx: Transaction, id: string, started: number): Promise<void> => {
      await tx
        .insertInto('deployments')
        .values({
          tenant,
          id,
          name: '',
          artifact_name: '',
          kind: 'software',
          created: started,
          finished: null,
          aborted: null,
          status: 'preparing',
          active: 0,
          max_devices: 0,
          device_count: 0,
          force_installation: 0,
          target: '{}',
          group_names: '[]',
          fingerprint: null,
          total_size_bytes: 0,
        })
        .execute();
    },

    /** Those that were begun to be prepared before that time. */
    preparedBefore: async (reader: Reader, time: number): Promise<string[]> => {
      const rows = await reader
        .selectFrom('deployments')
        .where('tenant', '=', tenant)
        .where('status', '=', 'preparing')
        .where('created', '<', time)
        .select('id')
        .execute();
      return rows.map(({ id }) => id);
    },

    /** With what is kept beside it. */
    deletePrepared: (tx: Transaction, id: string) =>
      tx
        .deleteFrom('deployments')
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('status', '=', 'preparing')
        .execute(),

    insert: async (
      tx: Transaction,
      deployment: Deployment,
      parts: {
        readonly fingerprint: string;
        readonly artifactIds: readonly string[];
        readonly phases: readonly Phase[];
      },
    ): Promise<void> => {
      const key = { tenant, deployment_id: deployment.id };
      const row = {
        name: deployment.name,
        artifact_name: deployment.artifactName,
        kind: deployment.kind,
        created: deployment.created,
        finished: null,
        aborted: null,
        status: deployment.status,
        active: 1 as const,
        max_devices: deployment.maxDevices,
        device_count: 0,
        force_installation: deployment.forceInstallation ? (1 as const) : (0 as const),
        target: JSON.stringify(deployment.target),
        group_names: JSON.stringify(deployment.groups),
        fingerprint: parts.fingerprint,
        total_size_bytes: 0,
      };
      await tx
        .insertInto('deployments')
        .values({ tenant, id: deployment.id, ...row })
        // Where it was prepared.
        .onConflict((conflict) => conflict.columns(['tenant', 'id']).doUpdateSet(row))
        .execute();
      for (const [phase, { batchSize, starts }] of parts.phases.entries()) {
        await tx
          .insertInto('deployment_phases')
          .values({ ...key, phase, batch_size: batchSize, starts })
          .execute();
      }
      await insertArtifacts(tx, tenant, deployment.id, parts.artifactIds);
    },

    get: async (reader: Reader, id: string): Promise<Deployment | undefined> => {
      const [row] = await deploymentById(reader, { tenant, id });
      return row && deployment(row);
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

export type DeploymentRow = Selectable<Tables['deployments']>;

const deployments = (reader: Reader, tenant: string) =>
  reader.selectFrom('deployments').where('tenant', '=', tenant).where('status', '<>', 'preparing');

const visible = (reader: Reader, actor: Actor) =>
  deployments(reader, actor.tenant).where((where) => where.and(isVisibleDeployment(engineOf(reader), actor)));

const deploymentById = preparedQuery<{ tenant: string; id: string }, DeploymentRow>((reader, value) =>
  reader
    .selectFrom('deployments')
    .where('tenant', '=', value('tenant'))
    .where('id', '=', value('id'))
    .where('status', '<>', 'preparing')
    .selectAll(),
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

export const deployment = (row: DeploymentRow): Deployment => ({
  id: row.id,
  name: row.name,
  artifactName: row.artifact_name,
  kind: row.kind,
  created: row.created,
  finished: row.finished,
  aborted: row.aborted,
  // What is only prepared is not read.
  status: row.status === 'preparing' ? 'scheduled' : row.status,
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
    // Not every engine takes an empty list.
    ...(ids === undefined ? [] : [ids.length === 0 ? sql<boolean>`1 = 0` : where('id', 'in', ids)]),
    ...(createdFrom === undefined ? [] : [where('created', '>=', createdFrom)]),
    ...(createdTo === undefined ? [] : [where('created', '<=', createdTo)]),
  ];
}
