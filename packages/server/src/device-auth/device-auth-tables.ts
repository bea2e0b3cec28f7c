import type { AuthSetStatus, DeviceStatus } from './device-status.ts';

export interface DeviceAuthTables {
  devices: {
    tenant: string;
    id: string;
    /** Canonical JSON text (server contract 16.1). */
    id_data: string;
    /** SHA-256 of it, hexadecimal. */
    id_data_hash: string;
    status: DeviceStatus;
    decommissioning: 0 | 1;
    created: number;
    updated: number;
  };
  /** Of devices that were heard of. */
  device_check_ins: {
    tenant: string;
    device_id: string;
    /** The last, in milliseconds. */
    time: number;
    /** The one that the inventory was told of last. */
    told: number;
  };
  auth_sets: {
    tenant: string;
    id: string;
    device_id: string;
    id_data: string;
    id_data_hash: string;
    /** Canonical PEM. */
    pubkey: string;
    status: AuthSetStatus;
    created: number;
  };
  /** A row is a token that counts; its id is that of the auth set. */
  device_tokens: {
    tenant: string;
    id: string;
    device_id: string;
    expires: number;
    /** Of the newest of this id, as `tokenDigest` makes it; null for one that was issued before digests were kept. */
    digest: string | null;
    /** When that one ends, in milliseconds. */
    digest_expires: number | null;
    /** The fingerprint of the key that signed it. */
    signed_by: string | null;
  };
  device_limits: { tenant: string; name: string; value: number };
}
