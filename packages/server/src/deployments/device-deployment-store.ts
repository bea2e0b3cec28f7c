import type { LogMessage, Page } from '@tandem/api';
import { sql, type Selectable } from 'kysely';
import type { Actor } from '../actor.ts';
import { engineOf, stillWanted } from '../database/sql-differences.ts';
import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { isVisibleDeployment, isVisibleDevice } from '../visibility.ts';
import {
  allStatuses,
  statusIsActive,
  statusRank,
  type DeviceDeploymentStatus,
} from './device-deployment-statuses.ts';
import { preparedQuery } from '../database/prepared-query.ts';
import { failureCause } from './failure-cause.ts';
import type { UpdateRequest } from './update-request.ts';

/** One device's part in a deployment. */
export interface DeviceDeployment {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly attempt: number;
  readonly deploymentCreated: number;
  readonly status: DeviceDeploymentStatus;
  readonly started: number | null;
  readonly finished: number | null;
  readonly deleted: number | null;
  readonly substate: string | null;
  readonly artifactId: string | null;
  readonly request: UpdateRequest | null;
  readonly hasLog: boolean;
}

export interface FailureGroup {
  readonly cause: string | null;
  readonly devices: number;
  /** One of them. */
  readonly deviceId: string;
}

type Changes = Partial<
  Pick<DeviceDeployment, 'status' | 'started' | 'finished' | 'substate' | 'artifactId' | 'request'>
>;

/**
 * SQL on what single devices do, of one tenant, or of what an actor sees of it. Where attempts are not named, the latest one is meant.
 */
export const deviceDeploymentStore = {
  /** Whether he sees the deployment whose devices are listed, or the device whose history is, has to be asked before. */
  seenBy: (actor: Actor) => ({
    /** In the order of the status table, then by device. */
    ofDeployment: async (
      reader: Reader,
      deploymentId: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      page?: Page,
    ): Promise<DeviceDeployment[]> => {
      const rank = sql.join(
        allStatuses.map((status) => sql`when ${status} then ${sql.lit(statusRank(status))}`),
        sql` `,
      );
      let query = seenOfDeployment(reader, actor, deploymentId, statuses)
        .orderBy(sql`case status ${rank} end`)
        .orderBy('device_id');
      if (page !== undefined) query = query.limit(page.perPage).offset(page.offset);
      return (await query.selectAll('device_deployments').execute()).map(deviceDeployment);
    },

    countOfDeployment: async (
      reader: Reader,
      deploymentId: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
    ): Promise<number> => {
      const found = await seenOfDeployment(reader, actor, deploymentId, statuses)
        .select((select) => select.fn.countAll<number>().as('count'))
        .executeTakeFirst();
      return Number(found?.count ?? 0);
    },

    /** How many devices failed of which cause, the most frequent first; null where none is known. With one device of each. */
    failures: async (reader: Reader, deploymentId: string, limit: number): Promise<FailureGroup[]> => {
      const failed = seenOfDeployment(reader, actor, deploymentId, ['failure'])
        .select(['device_id', 'attempt'])
        .as('part');
      const rows = await reader
        .selectFrom(failed)
        .leftJoin('device_failure_causes as known', (join) =>
          join
            .on('known.tenant', '=', actor.tenant)
            .on('known.deployment_id', '=', deploymentId)
            .onRef('known.device_id', '=', 'part.device_id')
            .onRef('known.attempt', '=', 'part.attempt'),
        )
        .select(({ fn }) => [
          'known.cause',
          fn.countAll<number>().as('devices'),
          fn.min('part.device_id').as('device_id'),
        ])
        .where(stillWanted(engineOf(reader)))
        .groupBy('known.cause')
        .orderBy('devices', 'desc')
        .orderBy('known.cause')
        .limit(limit)
        .execute();
      return rows.map(({ cause, devices, device_id }) => ({
        cause,
        devices: Number(devices),
        deviceId: device_id,
      }));
    },

    /** All a device took part in, newest first, what was taken out of its history included. */
    history: async (
      reader: Reader,
      deviceId: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      page: Page,
    ): Promise<DeviceDeployment[]> => {
      const rows = await seenOfDevice(reader, actor, deviceId, statuses)
        .orderBy('deployment_created', 'desc')
        .orderBy('attempt', 'desc')
        .limit(page.perPage)
        .offset(page.offset)
        .selectAll()
        .execute();
      return rows.map(deviceDeployment);
    },

    countHistory: async (
      reader: Reader,
      deviceId: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      atMost: number,
    ): Promise<number> => {
      const found = await reader
        .selectFrom(
          seenOfDevice(reader, actor, deviceId, statuses).select('attempt').limit(atMost).as('counted'),
        )
        .select((select) => select.fn.countAll<number>().as('count'))
        .executeTakeFirst();
      return Number(found?.count ?? 0);
    },
  }),

  forTenant: (tenant: string) => ({
    /** What the device is at: the oldest that has not ended. */
    active: async (reader: Reader, deviceId: string): Promise<DeviceDeployment | undefined> => {
      const [row] = await activeOfDevice(reader, { tenant, deviceId });
      return row && deviceDeployment(row);
    },

    allActive: async (reader: Reader, deviceId: string): Promise<DeviceDeployment[]> => {
      const rows = await table(reader, tenant)
        .where('active', '=', 1)
        .where('device_id', '=', deviceId)
        .selectAll()
        .execute();
      return rows.map(deviceDeployment);
    },

    /** Of devices after that id, in their order. */
    activeOfDeployment: async (
      reader: Reader,
      deploymentId: string,
      after: string,
      limit: number,
    ): Promise<DeviceDeployment[]> => {
      const rows = await table(reader, tenant)
        .where('deployment_id', '=', deploymentId)
        .where('device_id', '>', after)
        .where('active', '=', 1)
        .orderBy('device_id')
        .limit(limit)
        .selectAll()
        .execute();
      return rows.map(deviceDeployment);
    },

    /** When the newest deployment that the device has ended was made; undefined before the first. */
    latestEnded: async (reader: Reader, deviceId: string): Promise<number | undefined> =>
      (await latestEnded(reader, { tenant, deviceId }))[0]?.deployment_created,

    get: async (
      reader: Reader,
      deploymentId: string,
      deviceId: string,
    ): Promise<DeviceDeployment | undefined> => {
      const [row] = await latestAttempt(reader, { tenant, deploymentId, deviceId });
      return row && deviceDeployment(row);
    },

    insert: async (tx: Transaction, row: DeviceDeployment): Promise<void> => {
      await tx
        .insertInto('device_deployments')
        .values({
          tenant,
          deployment_id: row.deploymentId,
          device_id: row.deviceId,
          attempt: row.attempt,
          deployment_created: row.deploymentCreated,
          status: row.status,
          active: statusIsActive(row.status) ? 1 : 0,
          started: row.started,
          finished: row.finished,
          deleted: row.deleted,
          substate: row.substate,
          artifact_id: row.artifactId,
          request: row.request && JSON.stringify(row.request),
          has_log: row.hasLog ? 1 : 0,
        })
        .execute();
    },

    update: async (tx: Transaction, row: DeviceDeployment, changes: Changes): Promise<void> => {
      const { artifactId, request, ...same } = changes;
      await tx
        .updateTable('device_deployments')
        .set({
          ...same,
          ...(changes.status === undefined ? {} : { active: statusIsActive(changes.status) ? 1 : 0 }),
          ...(artifactId === undefined ? {} : { artifact_id: artifactId }),
          ...(request === undefined ? {} : { request: request && JSON.stringify(request) }),
        })
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', row.deploymentId)
        .where('device_id', '=', row.deviceId)
        .where('attempt', '=', row.attempt)
        .execute();
    },

    forgetEnded: (tx: Transaction, deviceId: string, now: number) =>
      tx
        .updateTable('device_deployments')
        .set({ deleted: now })
        .where('tenant', '=', tenant)
        .where('device_id', '=', deviceId)
        .where('active', '=', 0)
        .where('deleted', 'is', null)
        .execute(),

    isArtifactUsed: async (reader: Reader, artifactId: string): Promise<boolean> =>
      (await table(reader, tenant)
        .where('artifact_id', '=', artifactId)
        .select('device_id')
        .limit(1)
        .executeTakeFirst()) !== undefined,

    putLog: async (
      tx: Transaction,
      row: DeviceDeployment,
      messages: readonly LogMessage[],
    ): Promise<void> => {
      const part = { tenant, deployment_id: row.deploymentId, device_id: row.deviceId, attempt: row.attempt };
      const key = ['tenant', 'deployment_id', 'device_id', 'attempt'] as const;
      const text = JSON.stringify(messages);
      await tx
        .insertInto('device_deployment_logs')
        .values({ ...part, messages: text })
        .onConflict((conflict) => conflict.columns(key).doUpdateSet({ messages: text }))
        .execute();
      const cause = failureCause(messages);
      if (cause !== undefined) {
        await tx
          .insertInto('device_failure_causes')
          .values({ ...part, cause })
          .onConflict((conflict) => conflict.columns(key).doUpdateSet({ cause }))
          .execute();
      }
      await tx
        .updateTable('device_deployments')
        .set({ has_log: 1 })
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', row.deploymentId)
        .where('device_id', '=', row.deviceId)
        .where('attempt', '=', row.attempt)
        .execute();
    },

    getLog: async (
      reader: Reader,
      deploymentId: string,
      deviceId: string,
    ): Promise<LogMessage[] | undefined> => {
      const found = await reader
        .selectFrom('device_deployment_logs')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', deploymentId)
        .where('device_id', '=', deviceId)
        .orderBy('attempt', 'desc')
        .select('messages')
        .executeTakeFirst();
      // Written by `putLog` alone.
      return found && (JSON.parse(found.messages) as LogMessage[]);
    },
  }),
};

export type DeviceDeploymentStore = ReturnType<(typeof deviceDeploymentStore)['forTenant']>;

type DeviceDeploymentRow = Selectable<Tables['device_deployments']>;

const table = (reader: Reader, tenant: string) =>
  reader.selectFrom('device_deployments').where('device_deployments.tenant', '=', tenant);

const activeOfDevice = preparedQuery<{ tenant: string; deviceId: string }, DeviceDeploymentRow>(
  (reader, value) =>
    reader
      .selectFrom('device_deployments')
      .where('tenant', '=', value('tenant'))
      .where('device_id', '=', value('deviceId'))
      .where('active', '=', 1)
      .orderBy('deployment_created')
      .limit(1)
      .selectAll(),
);

const latestEnded = preparedQuery<{ tenant: string; deviceId: string }, { deployment_created: number }>(
  (reader, value) =>
    reader
      .selectFrom('device_deployments')
      .where('tenant', '=', value('tenant'))
      .where('device_id', '=', value('deviceId'))
      .where('active', '=', 0)
      .where('deleted', 'is', null)
      .orderBy('deployment_created', 'desc')
      .limit(1)
      .select('deployment_created'),
);

const latestAttempt = preparedQuery<
  { tenant: string; deploymentId: string; deviceId: string },
  DeviceDeploymentRow
>((reader, value) =>
  reader
    .selectFrom('device_deployments')
    .where('tenant', '=', value('tenant'))
    .where('deployment_id', '=', value('deploymentId'))
    .where('device_id', '=', value('deviceId'))
    .orderBy('attempt', 'desc')
    .limit(1)
    .selectAll(),
);

function latestOfDeployment(
  reader: Reader,
  tenant: string,
  deploymentId: string,
  statuses: readonly DeviceDeploymentStatus[] | undefined,
) {
  const query = table(reader, tenant)
    .where('deployment_id', '=', deploymentId)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('device_deployments as later')
            .whereRef('later.tenant', '=', 'device_deployments.tenant')
            .whereRef('later.deployment_id', '=', 'device_deployments.deployment_id')
            .whereRef('later.device_id', '=', 'device_deployments.device_id')
            .whereRef('later.attempt', '>', 'device_deployments.attempt')
            .select('later.attempt'),
        ),
      ),
    );
  return statuses === undefined ? query : query.where('device_deployments.status', 'in', statuses);
}

function ofDevice(
  reader: Reader,
  tenant: string,
  deviceId: string,
  statuses: readonly DeviceDeploymentStatus[] | undefined,
) {
  const query = table(reader, tenant).where('device_id', '=', deviceId);
  return statuses === undefined ? query : query.where('status', 'in', statuses);
}

function seenOfDeployment(
  reader: Reader,
  actor: Actor,
  deploymentId: string,
  statuses: readonly DeviceDeploymentStatus[] | undefined,
) {
  const isSeen = isVisibleDevice(engineOf(reader), actor, sql.ref('device_deployments.device_id'));
  return latestOfDeployment(reader, actor.tenant, deploymentId, statuses).where((where) => where.and(isSeen));
}

function seenOfDevice(
  reader: Reader,
  actor: Actor,
  deviceId: string,
  statuses: readonly DeviceDeploymentStatus[] | undefined,
) {
  const isSeen = isVisibleDeployment(engineOf(reader), actor);
  const all = ofDevice(reader, actor.tenant, deviceId, statuses);
  if (isSeen.length === 0) return all;
  return all.where('deployment_id', 'in', (where) =>
    where
      .selectFrom('deployments')
      .select('deployments.id')
      .where('deployments.tenant', '=', actor.tenant)
      .where((own) => own.and(isSeen)),
  );
}

const deviceDeployment = (row: DeviceDeploymentRow): DeviceDeployment => ({
  deploymentId: row.deployment_id,
  deviceId: row.device_id,
  attempt: row.attempt,
  deploymentCreated: row.deployment_created,
  status: row.status,
  started: row.started,
  finished: row.finished,
  deleted: row.deleted,
  substate: row.substate,
  artifactId: row.artifact_id,
  // Written by `update` alone.
  request: row.request === null ? null : (JSON.parse(row.request) as UpdateRequest),
  hasLog: row.has_log === 1,
});
