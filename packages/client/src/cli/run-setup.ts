import { resolve } from 'node:path';
import {
  demoPolling,
  setUp,
  shortestPollSeconds,
  usualPolling,
  type Polling,
} from '../configuration/set-up.ts';
import { readDeviceType } from '../configuration/device-type.ts';
import type { ClientGround } from './client-parts.ts';
import type { OptionName } from './command-line.ts';
import { CommandLineError, type ParsedArguments } from './parse-arguments.ts';

const hostedServer = 'https://hosted.mender.io';

/** Options of Mender's setup that ours does not have, with what to do instead. */
// prettier-ignore
const notSupported: Readonly<Partial<Record<OptionName, string>>> = {
  demo:          'Name the server with --server-url and --server-cert, and give --demo-polling.',
  'demo-server': 'Name the server with --server-url and --server-cert.',
  'server-ip':   'Name the server with --server-url and --server-cert; its name must be known to the device.',
  username:      "Give the organization's token with --tenant-token.",
  password:      "Give the organization's token with --tenant-token.",
};

/** Sets up a new device by flags alone: nothing is asked, so that it can stand in a script. */
export async function runSetup(
  { system, paths }: ClientGround,
  parsed: ParsedArguments,
  print: (line: string) => void,
  hostName: string,
): Promise<number> {
  for (const [name, instead] of Object.entries(notSupported)) {
    if (parsed.options.has(name as OptionName))
      throw new CommandLineError(`--${name} is not supported. ${instead}`);
  }
  const option = (name: OptionName) => parsed.options.get(name)?.at(-1);
  const tenantToken = option('tenant-token');
  const certificate = option('server-cert');
  const deviceTypeFile = `${paths.datastore}/device_type`;
  await setUp(
    system.files,
    { ...paths, deviceTypeFile },
    {
      deviceType:
        option('device-type') ??
        (await readDeviceType(system.files, deviceTypeFile).catch(() => hostName || 'unknown')),
      serverUrl: serverOf(parsed),
      tenantToken,
      serverCertificate: certificate === undefined ? undefined : resolve(certificate),
      polling: pollingOf(parsed),
    },
  );
  if (!parsed.options.has('quiet')) print('Mender setup successfully.');
  return 0;
}

function serverOf({ options }: ParsedArguments): string {
  const named = options.get('server-url')?.at(-1) ?? options.get('url')?.at(-1);
  if (!options.has('hosted-mender')) {
    if (named !== undefined) return named;
    throw new CommandLineError('Need the server: --server-url https://…');
  }
  if (named !== undefined) throw new CommandLineError('--hosted-mender and --server-url exclude each other');
  if (options.has('tenant-token')) return hostedServer;
  throw new CommandLineError('--hosted-mender needs --tenant-token');
}

const pollOptions = {
  UpdatePollIntervalSeconds: 'update-poll',
  InventoryPollIntervalSeconds: 'inventory-poll',
  RetryPollIntervalSeconds: 'retry-poll',
} as const satisfies Record<keyof typeof usualPolling, OptionName>;

/** An interval given by name ends the demo's short ones. */
function pollingOf({ options }: ParsedArguments): Polling {
  const given = Object.entries(pollOptions).flatMap(([key, name]) => {
    const text = options.get(name)?.at(-1);
    return text === undefined ? [] : [[key, secondsOf(name, text)] as const];
  });
  if (given.length === 0 && options.has('demo-polling')) return demoPolling;
  return { ...usualPolling, ...Object.fromEntries(given) };
}

function secondsOf(name: OptionName, text: string): number {
  const seconds = Number(text);
  if (/^[0-9]{1,9}$/.test(text) && seconds >= shortestPollSeconds) return seconds;
  throw new CommandLineError(
    `--${name} must be a number of seconds, at least ${shortestPollSeconds}, not '${text}'`,
  );
}
