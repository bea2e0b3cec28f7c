import type { Reader, Tables, Transaction } from '../database/tables.ts';
import { sql, type ExpressionBuilder } from 'kysely';
import { deployment, type Deployment, type DeploymentRow } from './deployment-store.ts';
import { chunkHolds, idsOfChunk, targetChunks } from './deployment-target.ts';
import { preparedQuery } from '../database/prepared-query.ts';

/** SQL on whom the deployments of one tenant are for. */
export const deploymentTargetStore = {
  forTenant: (tenant: string) => ({
    /** Of sorted ids, each once. */
    insert: async (tx: Transaction, id: string, targeted: readonly string[]): Promise<void> => {
      const key = { tenant, deployment_id: id };
      for (const { firstDeviceId, lastDeviceId, deviceIds } of targetChunks(targeted)) {
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
    },

    /** Active deployments made after `after` that target the device, oldest first. */
    activeFor: async (reader: Reader, deviceId: string, after: number): Promise<Deployment[]> => {
      const rows = await activeTargeting(reader, { tenant, deviceId, after });
      return rows.filter(({ device_ids }) => chunkHolds(device_ids, deviceId)).map(deployment);
    },

    /** Active deployments made after `after`, oldest first. */
    activeSince: (reader: Reader, after: number): Promise<{ id: string; created: number }[]> =>
      reader
        .selectFrom('deployments')
        .where('tenant', '=', tenant)
        .where('active', '=', sql.lit(1))
        .where('created', '>', after)
        .orderBy('created')
        .select(['id', 'created'])
        .execute(),

    /** Ids as they are stored, chunk by chunk in their order: a deployment may be for a million devices. */
    chunks: async function* (reader: Reader, id: string): AsyncGenerator<string> {
      for (let last = ''; ;) {
        const rows = await reader
          .selectFrom('deployment_targets')
          .where('tenant', '=', tenant)
          .where('deployment_id', '=', id)
          .where('first_device_id', '>', last)
          .orderBy('first_device_id')
          .limit(chunksPerPage)
          .select(['first_device_id', 'device_ids'])
          .execute();
        for (const { device_ids } of rows) yield device_ids;
        const end = rows.at(-1);
        if (end === undefined || rows.length < chunksPerPage) return;
        last = end.first_device_id;
      }
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

    /** The first `limit` of the targeted devices, two chunks at most, of all these deployments in one query. */
    firstDeviceIds: async (
      reader: Reader,
      ids: readonly string[],
      limit: number,
    ): Promise<ReadonlyMap<string, readonly string[]>> => {
      if (ids.length === 0) return new Map();
      const chunk = (where: ExpressionBuilder<Tables, 'deployments'>, place: number) =>
        where
          .selectFrom('deployment_targets')
          .whereRef('deployment_targets.tenant', '=', 'deployments.tenant')
          .whereRef('deployment_targets.deployment_id', '=', 'deployments.id')
          .orderBy('first_device_id')
          .limit(1)
          .offset(place)
          .select('device_ids');
      const rows = await reader
        .selectFrom('deployments')
        .where('tenant', '=', tenant)
        .where('id', 'in', ids)
        .select((where) => ['id', chunk(where, 0).as('first'), chunk(where, 1).as('second')])
        .execute();
      return new Map(
        rows.map(({ id, first, second }) => [
          id,
          [first, second].flatMap((one) => (one === null ? [] : idsOfChunk(one))).slice(0, limit),
        ]),
      );
    },

    deviceIds: async (reader: Reader, id: string): Promise<string[]> => {
      const rows = await reader
        .selectFrom('deployment_targets')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', id)
        .orderBy('first_device_id')
        .select('device_ids')
        .execute();
      return rows.flatMap(({ device_ids }) => idsOfChunk(device_ids));
    },
  }),
};

const chunksPerPage = 8;

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
