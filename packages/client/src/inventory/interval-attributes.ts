import type { Configuration, KeyName } from '../configuration/configuration-keys.ts';

/** The intervals a device keeps, as the server's inventory names them, with the keys they come from. */
const intervalKeys = {
  'interval-poll-seconds': 'InventoryPollIntervalSeconds',
  'interval-update-poll-seconds': 'UpdatePollIntervalSeconds',
  'interval-retry-poll-seconds': 'RetryPollIntervalSeconds',
} as const satisfies Readonly<Record<string, KeyName>>;

/**
 * How long a user has to wait for this device at most, in seconds. Mender has a program for this, which reads the main file alone;
 * these are the values in force, defaults and fallback file included.
 */
export function intervalAttributes(configuration: Configuration): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(intervalKeys).map(([name, key]) => [name, String(configuration[key])]),
  );
}
