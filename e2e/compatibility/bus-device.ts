import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PrivateBus } from './private-bus.ts';
import type { StandInServer } from './stand-in-server.ts';

const ourPrograms = join(import.meta.dirname, '../../packages/client/bin');

export interface RunningProgram {
  /** What it has printed so far, on both of its outputs. */
  readonly printed: () => string;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** A device whose programs are of this machine's Debian or ours, on a bus of their own. */
export interface BusDevice {
  /** `mender-auth daemon`, `mender-update daemon` or `mender daemon`, ours. */
  startOurs(name: 'mender-auth' | 'mender-update' | 'mender'): RunningProgram;
  /** Any other program. */
  start(program: string, args: readonly string[]): RunningProgram;
  /** Runs a program to its end, as the given user. */
  run(
    user: 'root' | 'nobody',
    program: string,
    args: readonly string[],
  ): Promise<{ status: number | null; output: string }>;
  readonly environment: Readonly<Record<string, string>>;
  /** Kills whatever still runs. */
  close(): Promise<void>;
}

const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];

/** The configuration's own keys go over those that make the device talk to the server. */
export async function makeBusDevice(
  directory: string,
  bus: PrivateBus,
  server: StandInServer,
  configuration: Readonly<Record<string, unknown>> = {},
): Promise<BusDevice> {
  const at = (name: string) => join(directory, name);
  for (const made of ['etc', 'share/identity', 'share/inventory', 'store']) {
    await mkdir(at(made), { recursive: true });
  }
  await writeFile(at('server.crt'), server.authority);
  await writeFile(at('device.crt'), server.device.certificate);
  await writeFile(at('device.key'), server.device.key, { mode: 0o600 });
  await writeFile(
    at('etc/mender.conf'),
    JSON.stringify({
      ServerURL: server.url,
      ServerCertificate: at('server.crt'),
      HttpsClient: { Certificate: at('device.crt'), Key: at('device.key') },
      UpdatePollIntervalSeconds: 1,
      RetryPollIntervalSeconds: 1,
      ...configuration,
    }),
  );
  await writeFile(at('store/device_type'), 'device_type=board\n');
  await writeFile(at('share/identity/mender-device-identity'), '#!/bin/sh\necho mac=02:00:00:00:00:01\n');
  await chmod(at('share/identity/mender-device-identity'), 0o755);

  const environment = {
    PATH: process.env['PATH'] ?? '',
    DBUS_SYSTEM_BUS_ADDRESS: bus.address,
    MENDER_CONF_DIR: at('etc'),
    MENDER_DATA_DIR: at('share'),
    MENDER_DATASTORE_DIR: at('store'),
  };
  const running = new Set<ChildProcess>();
  const start: BusDevice['start'] = (program, args) => {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => (printed += text.toString()));
    }
    const ended = once(child, 'exit');
    void ended.then(() => running.delete(child));
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await ended;
    };
    return {
      printed: () => printed,
      stop: async () => {
        await end('SIGTERM');
        return child.exitCode;
      },
      kill: () => end('SIGKILL'),
    };
  };
  return {
    environment,
    start,
    startOurs: (name) => start(process.execPath, [join(ourPrograms, `${name}.js`), 'daemon']),
    run: async (user, program, args) => {
      const words = user === 'root' ? [program, ...args] : [...asNobody, program, ...args];
      const child = spawn(user === 'root' ? 'env' : 'setpriv', words, { env: environment });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (text: Buffer) => (output += text.toString()));
      }
      await once(child, 'close');
      return { status: child.exitCode, output };
    },
    close: async () => {
      await Promise.all(
        [...running].map(async (child) => {
          const ended = once(child, 'exit');
          child.kill('SIGKILL');
          await ended;
        }),
      );
    },
  };
}
