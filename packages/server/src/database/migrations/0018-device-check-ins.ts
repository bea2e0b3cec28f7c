export const deviceCheckIns = {
  name: 'check-ins of devices',
  /*
   * When each device was last heard of, and which of these times the inventory was told of last, in milliseconds; no row before the
   * first. By themselves, because they change far more often than all else of a device: of rows this short, forty share a page.
   *
   * The columns of `devices` that held them stay for servers of the version before, which may still run.
   */
  sql: `
    CREATE TABLE device_check_ins (
      tenant    TEXT NOT NULL,
      device_id TEXT NOT NULL,
      time      INTEGER NOT NULL,
      told      INTEGER NOT NULL,
      PRIMARY KEY (tenant, device_id),
      FOREIGN KEY (tenant, device_id) REFERENCES devices (tenant, id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    INSERT INTO device_check_ins (tenant, device_id, time, told)
      SELECT tenant, id, check_in_time, coalesce(check_in_told, 0) FROM devices
      WHERE check_in_time IS NOT NULL ORDER BY tenant, id;
  `,
};
