import { resolve } from 'node:path';
import { ClientError } from '../client-error.ts';
import { readDeviceType } from '../configuration/device-type.ts';
import {
  demoPolling,
  setUp,
  shortestPollSeconds,
  usualPolling,
  type Polling,
} from '../configuration/set-up.ts';
import type { SendHttp } from '../server-connection/http-exchange.ts';
import type { ClientGround } from './client-parts.ts';
import type { OptionName } from './command-line.ts';
import { hostedTenantToken } from './hosted-login.ts';
import { type ParsedArguments } from './parse-arguments.ts';
import { askForTheRest, type SetupAnswers } from './setup-questions.ts';
import type { Terminal } from './terminal.ts';

export interface SetupNeeds {
  readonly ground: ClientGround;
  readonly print: (line: string) => void;
  readonly hostName: string;
  /** Undefined where nobody can be asked: in a script, or in a pipe. */
  readonly openTerminal: () => Terminal | undefined;
  readonly send: () => Promise<SendHttp>;
  /** The hosted server, without a `/` at its end; hosted.mender.io when not given. */
  readonly hostedServer?: string;
  readonly signal: AbortSignal;
}

/** Options of Mender's setup that ours does not have, with what to do instead. */
// prettier-ignore
const notSupported: Readonly<Partial<Record<OptionName, string>>> = {
  demo:          'Name the server with --server-url and --server-cert, and give --demo-polling.',
  'demo-server': 'Name the server with --server-url and --server-cert.',
  'server-ip':   'Name the server with --server-url and --server-cert; its name must be known to the device.',
};

/**
 * Sets up a new device: by options alone where nobody sits before it, so that it can stand in a script; else what no option said is
 * asked. Nothing is written before everything is known.
 */
export async function runSetup(parsed: ParsedArguments, needs: SetupNeeds): Promise<number> {
  for (const [name, instead] of Object.entries(notSupported)) {
    if (parsed.options.has(name as OptionName))
      throw new ClientError('commandLine', `--${name} is not supported. ${instead}`);
  }
  const { system, paths } = needs.ground;
  const deviceTypeFile = `${paths.datastore}/device_type`;
  const usualDeviceType = await readDeviceType(system.files, deviceTypeFile).catch(
    () => needs.hostName || 'unknown',
  );
  const answers = await completed(saidBy(parsed), usualDeviceType, needs);
  const serverUrl = serverOf(answers, needs.hostedServer);
  const certificate = answers.serverCertificate ?? '';
  await setUp(
    system.files,
    { ...paths, deviceTypeFile },
    {
      deviceType: answers.deviceType ?? usualDeviceType,
      serverUrl,
      tenantToken: await tenantTokenOf(answers, serverUrl, needs),
      serverCertificate: certificate === '' ? undefined : resolve(certificate),
      polling: pollingOf(answers),
    },
  );
  if (!parsed.options.has('quiet')) needs.print('Mender setup successfully.');
  return 0;
}

function saidBy({ options }: ParsedArguments): SetupAnswers {
  const option = (name: OptionName) => options.get(name)?.at(-1);
  const polling = Object.entries(pollOptions).flatMap(([key, name]) => {
    const text = option(name);
    return text === undefined ? [] : [[key, secondsOf(name, text)] as const];
  });
  return {
    deviceType: option('device-type'),
    hosted: options.has('hosted-mender') ? true : undefined,
    serverUrl: option('server-url') ?? option('url'),
    tenantToken: option('tenant-token'),
    username: option('username'),
    password: option('password'),
    serverCertificate: option('server-cert'),
    demoPolling: options.has('demo-polling') ? true : undefined,
    polling: Object.fromEntries(polling),
  };
}

async function completed(
  said: SetupAnswers,
  usualDeviceType: string,
  { ground, openTerminal }: SetupNeeds,
): Promise<SetupAnswers> {
  const terminal = openTerminal();
  if (terminal === undefined) return said;
  try {
    const isFile = async (path: string) => (await ground.system.files.kind(path))?.kind === 'file';
    return await askForTheRest(said, { terminal, usualDeviceType, isFile });
  } finally {
    terminal.close();
  }
}

function serverOf({ hosted, serverUrl }: SetupAnswers, hostedServer = 'https://hosted.mender.io'): string {
  if (hosted !== true) {
    if (serverUrl !== undefined) return serverUrl;
    throw new ClientError('commandLine', 'Need the server: --server-url https://…');
  }
  if (serverUrl === undefined) return hostedServer;
  throw new ClientError('commandLine', '--hosted-mender and --server-url exclude each other');
}

/** The token itself counts for more than the login that would tell it. */
async function tenantTokenOf(
  { hosted, tenantToken, username, password }: SetupAnswers,
  serverUrl: string,
  { send, signal }: SetupNeeds,
): Promise<string | undefined> {
  if (tenantToken !== undefined) return tenantToken;
  if (hosted !== true) {
    if (username === undefined && password === undefined) return undefined;
    throw new ClientError('commandLine', '--username and --password are for --hosted-mender alone');
  }
  if (username === undefined || password === undefined)
    throw new ClientError(
      'commandLine',
      '--hosted-mender needs --tenant-token, or --username and --password',
    );
  return await hostedTenantToken(await send(), serverUrl, { username, password }, signal);
}

const pollOptions = {
  UpdatePollIntervalSeconds: 'update-poll',
  InventoryPollIntervalSeconds: 'inventory-poll',
  RetryPollIntervalSeconds: 'retry-poll',
} as const satisfies Record<keyof typeof usualPolling, OptionName>;

/** An interval given by name ends the demo's short ones. */
function pollingOf({ polling, demoPolling: demo }: SetupAnswers): Polling {
  if (Object.keys(polling).length === 0 && demo === true) return demoPolling;
  return { ...usualPolling, ...polling };
}

function secondsOf(name: OptionName, text: string): number {
  const seconds = Number(text);
  if (/^[0-9]{1,9}$/.test(text) && seconds >= shortestPollSeconds) return seconds;
  throw new ClientError(
    'commandLine',
    `--${name} must be a number of seconds, at least ${shortestPollSeconds}, not '${text}'`,
  );
}
