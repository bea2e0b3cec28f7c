import type { Selectable } from 'kysely';
import { preparedQuery } from '../database/prepared-query.ts';
import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { statusIsActive, type DeviceDeploymentStatus } from './device-deployment-statuses.ts';
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

type Changes = Partial<
  Pick<DeviceDeployment, 'status' | 'started' | 'finished' | 'substate' | 'artifactId' | 'request'>
>;

/** SQL on what single devices do, of one tenant. Where attempts are not named, the latest one is meant. */
export const deviceDeploymentStore = {
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
  }),
};

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

/** The row as a value. */
export const deviceDeployment = (row: DeviceDeploymentRow): DeviceDeployment => ({
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
