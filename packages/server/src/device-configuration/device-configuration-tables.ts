export interface DeviceConfigurationTables {
  /** One row a device, from its acceptance on. */
  device_configurations: {
    tenant: string;
    device_id: string;
    /** JSON of what is wanted. */
    configured: string;
    /** JSON of what the device said it has. */
    reported: string;
    /** By which it was last deployed. */
    deployment_id: string | null;
    updated: number;
    reported_at: number | null;
  };
}
