import { dirname } from 'node:path';
import { ClientError } from '../client-error.ts';
import type { Files } from '../system/system.ts';
import { loadConfiguration } from './load-configuration.ts';

/** What the owner decides about a new device. */
export interface SetupChoices {
  readonly deviceType: string;
  readonly serverUrl: string;
  readonly tenantToken?: string | undefined;
  /** Absolute path of a PEM file. */
  readonly serverCertificate?: string | undefined;
  readonly polling: Polling;
}

export interface SetupPaths {
  readonly configurationFile: string;
  readonly fallbackConfigurationFile: string;
  readonly deviceTypeFile: string;
}

/** Keys of mender.conf with their values, in seconds. */
export type Polling = Readonly<Record<string, number>>;

/** Shortest interval a device may be set to. */
export const shortestPollSeconds = 5;

// prettier-ignore
export const usualPolling = {
  UpdatePollIntervalSeconds: 1800, InventoryPollIntervalSeconds: 28800, RetryPollIntervalSeconds: 300,
} as const satisfies Polling;

// prettier-ignore
export const demoPolling = {
  UpdatePollIntervalSeconds: 5, InventoryPollIntervalSeconds: 5, RetryPollIntervalSeconds: 30,
  UpdateControlMapExpirationTimeSeconds: 90, UpdateControlMapBootExpirationTimeSeconds: 45,
} as const satisfies Polling;

/** Whether it can be the name of a device type (client contract 4.1). */
export const isDeviceType = (text: string): boolean => /^[A-Za-z0-9-_]+$/.test(text);

/**
 * Writes mender.conf and the device type, durably; keys the file has besides are kept (client contract 4.1). Throws `ClientError`,
 * with nothing written: `noDeviceType` for a device type that cannot be one, `badConfiguration` when the file there is or the one
 * to be would not do.
 */
export async function setUp(
  files: Files,
  { configurationFile, fallbackConfigurationFile, deviceTypeFile }: SetupPaths,
  choices: SetupChoices,
): Promise<void> {
  if (!isDeviceType(choices.deviceType)) {
    throw new ClientError(
      'noDeviceType',
      `The device type ${JSON.stringify(choices.deviceType)} can only have letters, digits, - and _. Give another with --device-type.`,
    );
  }
  const { serverCertificate } = choices;
  if (serverCertificate !== undefined && (await files.kind(serverCertificate))?.kind !== 'file') {
    throw new ClientError('badConfiguration', `There is no certificate ${serverCertificate}.`);
  }
  const present = await readPresent(files, configurationFile);
  const text = `${JSON.stringify(changed(present, choices, deviceTypeFile), undefined, 4)}\n`;
  // Both files as they will be: what the fallback holds may not go with ours.
  const asItWillBe: Pick<Files, 'read'> = {
    read: (path, maxBytes) =>
      path === configurationFile ? Promise.resolve(Buffer.from(text)) : files.read(path, maxBytes),
  };
  await loadConfiguration(asItWillBe, {
    main: { path: configurationFile, named: true },
    fallback: { path: fallbackConfigurationFile, named: false },
  });
  await files.makeDirectoryDurably(dirname(deviceTypeFile));
  await files.writeDurably(deviceTypeFile, `device_type=${choices.deviceType}\n`, 0o644);
  await files.makeDirectoryDurably(dirname(configurationFile));
  await files.writeDurably(configurationFile, text, 0o600);
}

/** The file's keys with ours in place of those of the same name, whatever its case; an undefined one is taken away. */
function changed(
  present: Readonly<Record<string, unknown>>,
  { serverUrl, tenantToken, serverCertificate, polling }: SetupChoices,
  deviceTypeFile: string,
): Record<string, unknown> {
  const ours: Readonly<Record<string, unknown>> = {
    ServerURL: undefined,
    Servers: [{ ServerURL: serverUrl }],
    TenantToken: tenantToken,
    ServerCertificate: serverCertificate,
    DeviceTypeFile: deviceTypeFile,
    ...polling,
  };
  const replaced = new Set(Object.keys(ours).map((name) => name.toLowerCase()));
  const kept = Object.entries(present).filter(([name]) => !replaced.has(name.toLowerCase()));
  const given = Object.entries(ours).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...kept, ...given]);
}

async function readPresent(files: Files, path: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await files.read(path, 1024 * 1024);
  if (bytes === undefined) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
    throw new Error('it is no JSON object');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ClientError('badConfiguration', `Cannot read ${path}: ${reason}. Correct or remove it first.`, {
      cause: error,
    });
  }
}
