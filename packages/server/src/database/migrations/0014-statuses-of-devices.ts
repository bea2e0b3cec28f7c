export const statusesOfDevices = {
  name: 'statuses of devices',
  // What a page of a deployment's devices, their counts and their failures are read along; and the few that were tried again.
  sql: `
    CREATE INDEX device_deployments_by_status
      ON device_deployments (tenant, deployment_id, status, device_id, attempt);
    CREATE INDEX device_deployments_tried_again
      ON device_deployments (tenant, deployment_id, device_id, attempt) WHERE attempt > 1;
  `,
};
