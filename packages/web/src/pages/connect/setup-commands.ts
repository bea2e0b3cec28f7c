/** What a person types on the device; the certificate's path is that on the device. */
export const setupCommand = (serverUrl: string, certificatePath: string | undefined): string =>
  [
    'sudo mender setup',
    '--device-type YOUR-DEVICE-TYPE',
    `--server-url ${serverUrl}`,
    ...(certificatePath === undefined ? [] : [`--server-cert ${certificatePath}`]),
    '--update-poll 1800 --inventory-poll 28800 --retry-poll 300',
  ].join(' \\\n  ');

export const clientConfiguration = (serverUrl: string, certificatePath: string | undefined): string =>
  JSON.stringify(
    {
      Servers: [{ ServerURL: serverUrl }],
      ...(certificatePath === undefined ? {} : { ServerCertificate: certificatePath }),
      UpdatePollIntervalSeconds: 1800,
      InventoryPollIntervalSeconds: 28_800,
      RetryPollIntervalSeconds: 300,
    },
    null,
    2,
  );
