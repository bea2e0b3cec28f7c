import type { LogMessage } from '@tandem/api';
import type { Reader, Transaction } from '../database/tables.ts';
import type { DeviceDeployment } from './device-deployment-store.ts';
import { failureCause } from './failure-cause.ts';

/** SQL on the logs that devices sent of what they failed at, of one tenant, and on the causes found in them. */
export const deviceDeploymentLogStore = {
  forTenant: (tenant: string) => ({
    /** In place of an earlier one. */
    put: async (tx: Transaction, row: DeviceDeployment, messages: readonly LogMessage[]): Promise<void> => {
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

    /** Of the latest attempt that has one. */
    get: async (
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
      // Written by `put` alone.
      return found && (JSON.parse(found.messages) as LogMessage[]);
    },
  }),
};
