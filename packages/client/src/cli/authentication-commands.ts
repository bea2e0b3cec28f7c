import { ClientError } from '../client-error.ts';
import { daemonSessions, onceSessions } from '../auth-service/daemon-sessions.ts';
import { runAuthDaemon } from '../auth-service/run-auth-daemon.ts';
import { usualSystemBus } from '../d-bus/bus-address.ts';
import type { Bus } from '../d-bus/bus.ts';
import { connectToBus } from '../d-bus/connect-to-bus.ts';
import type { SessionSource } from '../server-connection/session-source.ts';
import { openDeviceKey } from '../identity/device-key.ts';
import { makeDeviceKey } from '../identity/key-file.ts';
import {
  keySourceOf,
  networkOf,
  ownSessions,
  serversOf,
  type ClientGround,
  type Network,
} from './client-parts.ts';
import { type ParsedArguments } from './parse-arguments.ts';

/** Where the daemon's sessions come from: mender-auth where it runs, itself where not. */
export async function sessionsOfDaemon(
  ground: ClientGround,
  network: Network,
  run: 'once' | 'resident',
  signal: AbortSignal,
): Promise<SessionSource> {
  const session = ownSessions(ground, network.send);
  if (!ground.configuration['DBus.Enabled']) return session;
  const { clock, log } = ground.system;
  const needs = { session, open: network.open, log, clock, connect: busOf(ground) };
  return run === 'once' ? await onceSessions(needs, signal) : daemonSessions(needs, signal);
}

/** `mender-auth daemon`: authenticates for every program of this device, until the signal aborts. */
export async function authDaemon(
  ground: ClientGround,
  parsed: ParsedArguments,
  signal: AbortSignal,
): Promise<number> {
  const { configuration, system } = ground;
  if (serversOf(configuration).length === 0) {
    throw new ClientError('commandLine', 'Cannot run in daemon mode with no server URL specified');
  }
  if (!configuration['DBus.Enabled']) {
    throw new ClientError(
      'badConfiguration',
      'mender-auth is of no use without the system bus. Remove DBus.Enabled from mender.conf, or do not start it.',
    );
  }
  if (parsed.options.has('forcebootstrap')) await renewDeviceKey(ground);
  const network = await networkOf(ground);
  const needs = {
    session: ownSessions(ground, network.send),
    open: network.open,
    clock: system.clock,
    log: system.log,
    retry: {
      longestMs: configuration.RetryPollIntervalSeconds * 1000,
      count: configuration.RetryPollCount,
    },
  };
  try {
    await runAuthDaemon({ ...needs, bus: await busOf(ground)(signal) }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return 0;
}

/** Longest wait for the server's answer when bootstrapping. */
const bootstrapMs = 30_000;

/** Makes the key if needed and shows it to the server. That the server does not know it yet is no failure: it is why we ask. */
export async function bootstrap(
  ground: ClientGround,
  parsed: ParsedArguments,
  signal: AbortSignal,
): Promise<number> {
  if (parsed.options.has('forcebootstrap')) await renewDeviceKey(ground);
  await openDeviceKey(ground.system, keySourceOf(ground), signal);
  if (serversOf(ground.configuration).length === 0) return 0;
  try {
    const { send } = await networkOf(ground);
    await ownSessions(ground, send).renew(AbortSignal.any([signal, AbortSignal.timeout(bootstrapMs)]));
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    ground.system.log('warning', `Not authenticated yet: ${reason}`);
  }
  return 0;
}

/** Does nothing where the key was made elsewhere. */
async function renewDeviceKey(ground: ClientGround): Promise<void> {
  const source = keySourceOf(ground);
  if (source.kind === 'file' && !source.madeElsewhere) await makeDeviceKey(ground.system.files, source);
}

function busOf({ environment, system }: ClientGround): (signal: AbortSignal) => Promise<Bus> {
  const address = environment['DBUS_SYSTEM_BUS_ADDRESS'] || usualSystemBus;
  // Only Linux has a system bus, and there every process has a user.
  const userId = process.getuid?.() ?? 0;
  return (signal) => connectToBus({ address, userId, log: system.log }, signal);
}
