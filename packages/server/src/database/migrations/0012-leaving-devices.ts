export const leavingDevices = {
  name: 'leaving devices',
  // Few, and asked for wherever the accepted ones are read along their index, which does not tell.
  sql: `
    CREATE INDEX leaving_devices ON devices (tenant, id) WHERE decommissioning = 1;
  `,
};
