import type { Page } from '@tandem/api';
import { sql, type SelectQueryBuilder } from 'kysely';
import type { Actor } from '../actor.ts';
import { engineOf, stillWanted } from '../database/sql-differences.ts';
import type { Reader, Tables } from '../database/tables.ts';
import { isVisibleDeployment, isVisibleDevice } from '../visibility.ts';
import { deviceDeployment, type DeviceDeployment } from './device-deployment-store.ts';
import { allStatuses, statusRank, type DeviceDeploymentStatus } from './device-deployment-statuses.ts';

export interface FailureGroup {
  readonly cause: string | null;
  readonly devices: number;
  /** One of them. */
  readonly deviceId: string;
}

/**
 * SQL that lists what devices do in deployments, as far as an actor sees it: of a deployment the latest attempt of each device, of a
 * device all it took part in.
 */
export const deviceDeploymentListStore = {
  /** Whether he sees the deployment whose devices are listed, or the device whose history is, has to be asked before. */
  seenBy: (actor: Actor) => ({
    /** In the order of the status table, then by device. */
    ofDeployment: async (reader: Reader, deploymentId: string): Promise<DeviceDeployment[]> => {
      const rows = await inOrder(
        seenOfDeployment(reader, actor, deploymentId, undefined).selectAll(),
      ).execute();
      return rows.map(deviceDeployment);
    },

    /** A page of the same, and how many there are on all pages. Each status is read along its index, and only where the page has any. */
    pageOfDeployment: async (
      reader: Reader,
      deploymentId: string,
      statuses: readonly DeviceDeploymentStatus[] | undefined,
      { offset, perPage }: Pick<Page, 'offset' | 'perPage'>,
    ): Promise<{ devices: DeviceDeployment[]; total: number }> => {
      const counted = await seenOfDeployment(reader, actor, deploymentId, statuses)
        .select(({ fn }) => ['status', fn.countAll<number>().as('count')])
        .groupBy('status')
        .execute();
      const counts = new Map(counted.map(({ status, count }) => [status, Number(count)]));
      const parts = [];
      let wanted = perPage;
      let start = 0;
      for (const status of allStatuses) {
        const count = counts.get(status) ?? 0;
        const skipped = Math.max(0, offset - start);
        start += count;
        if (wanted === 0 || skipped >= count) continue;
        const limit = Math.min(wanted, count - skipped);
        wanted -= limit;
        const part = seenOfDeployment(reader, actor, deploymentId, [status])
          .selectAll()
          .orderBy('device_id')
          .limit(limit)
          .offset(skipped);
        parts.push(reader.selectFrom(part.as('device_deployments')).selectAll());
      }
      const [first, ...others] = parts;
      if (first === undefined) return { devices: [], total: start };
      // One query: a device that goes from one status to another meanwhile must not come twice.
      const page = others.reduce((united, part) => united.unionAll(part), first);
      const rows = await inOrder(reader.selectFrom(page.as('device_deployments')).selectAll()).execute();
      return { devices: rows.map(deviceDeployment), total: start };
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
};

const ofTenant = (
  reader: Reader,
  { tenant }: Actor,
  statuses: readonly DeviceDeploymentStatus[] | undefined,
) => {
  const all = reader.selectFrom('device_deployments').where('device_deployments.tenant', '=', tenant);
  return statuses === undefined ? all : all.where('device_deployments.status', 'in', statuses);
};

/** The latest attempt of each device: which one that is, is looked up for those that tried again alone. */
const seenOfDeployment = (
  reader: Reader,
  actor: Actor,
  deploymentId: string,
  statuses: readonly DeviceDeploymentStatus[] | undefined,
) =>
  ofTenant(reader, actor, statuses)
    .where('deployment_id', '=', deploymentId)
    .where((where) =>
      where.or([
        where(
          'device_id',
          'not in',
          where
            .selectFrom('device_deployments as again')
            .where('again.tenant', '=', actor.tenant)
            .where('again.deployment_id', '=', deploymentId)
            // Not as a value: the index holds these only, and the engine has to see that it fits.
            .where('again.attempt', '>', sql.lit(1))
            .select('again.device_id'),
        ),
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
      ]),
    )
    .where((where) =>
      where.and(isVisibleDevice(engineOf(reader), actor, sql.ref('device_deployments.device_id'))),
    );

const inOrder = <Row>(query: SelectQueryBuilder<Tables, 'device_deployments', Row>) =>
  query
    .orderBy(
      sql`case status ${sql.join(
        allStatuses.map((status) => sql`when ${status} then ${sql.lit(statusRank(status))}`),
        sql` `,
      )} end`,
    )
    .orderBy('device_id');

function seenOfDevice(
  reader: Reader,
  actor: Actor,
  deviceId: string,
  statuses: readonly DeviceDeploymentStatus[] | undefined,
) {
  const isSeen = isVisibleDeployment(engineOf(reader), actor);
  const all = ofTenant(reader, actor, statuses).where('device_id', '=', deviceId);
  if (isSeen.length === 0) return all;
  return all.where('deployment_id', 'in', (where) =>
    where
      .selectFrom('deployments')
      .select('deployments.id')
      .where('deployments.tenant', '=', actor.tenant)
      .where((own) => own.and(isSeen)),
  );
}
