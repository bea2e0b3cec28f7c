export const standingOfDevices = {
  name: 'standing of devices',
  // With all that a poll asks of what its device has ended, so that no row has to be read for it.
  sql: `
    CREATE INDEX device_deployments_by_standing
      ON device_deployments (tenant, device_id, active, deployment_created, deleted);
    DROP INDEX device_deployments_by_device;
  `,
};
