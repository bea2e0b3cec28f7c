import type { Reader, Transaction } from '../database/tables.ts';
import type { DeviceDeployment } from './device-deployment-store.ts';
import type { DeviceDeploymentStatus } from './device-deployment-statuses.ts';

export interface KeptStatusReport {
  readonly attempt: number;
  readonly status: DeviceDeploymentStatus;
  readonly substate: string | null;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** So many an attempt: a device that goes to and fro for ever fills no disk. */
const maxReports = 100;

/** SQL on the timelines of devices in deployments, for one tenant. */
export const statusReportStore = {
  forTenant: (tenant: string) => ({
    append: async (
      tx: Transaction,
      { deploymentId, deviceId, attempt, status, substate }: DeviceDeployment,
      time: number,
    ): Promise<void> => {
      const key = { tenant, deployment_id: deploymentId, device_id: deviceId, attempt };
      const last = await tx
        .selectFrom('device_status_reports')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', deploymentId)
        .where('device_id', '=', deviceId)
        .where('attempt', '=', attempt)
        .orderBy('position', 'desc')
        .limit(1)
        .select('position')
        .executeTakeFirst();
      const position = (last?.position ?? 0) + 1;
      await tx
        .insertInto('device_status_reports')
        .values({ ...key, position, status, substate, time })
        .execute();
      if (position <= maxReports) return;
      await tx
        .deleteFrom('device_status_reports')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', deploymentId)
        .where('device_id', '=', deviceId)
        .where('attempt', '=', attempt)
        .where('position', '<=', position - maxReports)
        .execute();
    },

    /** Of all attempts, oldest first. */
    of: (reader: Reader, deploymentId: string, deviceId: string): Promise<KeptStatusReport[]> =>
      reader
        .selectFrom('device_status_reports')
        .where('tenant', '=', tenant)
        .where('deployment_id', '=', deploymentId)
        .where('device_id', '=', deviceId)
        .orderBy('attempt')
        .orderBy('position')
        .select(['attempt', 'status', 'substate', 'time'])
        .execute(),
  }),
};
