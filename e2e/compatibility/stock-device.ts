import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@tandem/demo';
import { debianProgram } from './debian-programs.ts';
import { closeGate, gateScript, type Gate } from './gate.ts';
import { until } from './until.ts';

/** A device that runs Debian's `mender` 3.4 as its daemon, out of a directory of its own. */
export interface StockDevice {
  /** What its identity is made of. */
  readonly mac: string;
  /** The part of the file system that updates write to. */
  readonly files: string;
  /** Holds the device still at the end of its next download. */
  holdAfterDownload(): Promise<Gate>;
  /** Resolves when the daemon runs; throws with what it printed when it does not. */
  start(): Promise<void>;
  /** SIGTERM to the daemon, and waits for its end. */
  stop(): Promise<void>;
  /** Runs the client once, instead of its daemon; returns what it printed. */
  run(...command: readonly string[]): Promise<string>;
  /** What the daemon has printed so far, over all its runs. */
  log(): Promise<string>;
}

export interface StockDeviceOptions {
  readonly directory: string;
  readonly serverUrl: string;
  /** File with the certificate the server is trusted by; absent for the system's authorities alone. */
  readonly serverCertificate?: string;
  /** File with the public key artifacts must be signed with; absent where they need no signature. */
  readonly artifactVerifyKey?: string;
}

export const stockDeviceType = 'stock-board';
export const factoryArtifact = 'factory-1';
const inventoryScript = '#!/bin/sh\necho board=rev-b\necho port=eth0\necho port=eth1\n';

const endTimeoutMs = 5000;

/**
 * The client has its identity, inventory and configuration at fixed places (client contract 1.1; no environment variable moves
 * them before generation 5), so that each daemon gets its own view of these places: a mount namespace in which the device's
 * directories are bound there. Update modules stay those of Debian's package. Should the test die, the daemon dies with it.
 */
const places = {
  configuration: '/etc/mender',
  identity: '/usr/share/mender/identity',
  inventory: '/usr/share/mender/inventory',
} as const;
const bindAndRun = `${Object.values(places)
  .map((place, index) => `mount --bind "$${index + 1}" ${place} && `)
  .join('')}shift ${Object.keys(places).length} && exec setpriv --pdeathsig KILL "$@"`;

/** Arguments of `unshare`. Whoever is root already needs no user namespace, which may be switched off. */
const ownView = (bound: readonly string[], command: readonly string[]): readonly string[] => [
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--mount',
  'sh',
  '-c',
  bindAndRun,
  'sh',
  ...bound,
  ...command,
];

export async function makeStockDevice({
  directory,
  serverUrl,
  serverCertificate,
  artifactVerifyKey,
}: StockDeviceOptions): Promise<StockDevice> {
  const mac = randomBytes(6)
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$&:');
  const at = (name: string): string => join(directory, name);
  const bound = Object.keys(places).map(at);
  const scripts = join(at('configuration'), 'scripts');
  for (const path of [...bound, scripts, at('state'), at('files')]) await mkdir(path, { recursive: true });
  await writeFile(
    join(at('configuration'), 'mender.conf'),
    JSON.stringify({
      ServerURL: serverUrl,
      ...(serverCertificate === undefined ? {} : { ServerCertificate: serverCertificate }),
      ...(artifactVerifyKey === undefined ? {} : { ArtifactVerifyKey: artifactVerifyKey }),
      UpdatePollIntervalSeconds: 1,
      InventoryPollIntervalSeconds: 1,
      RetryPollIntervalSeconds: 1,
      UpdateLogPath: at('state'),
      DBus: { Enabled: false },
    }),
  );
  await writeFile(join(at('configuration'), 'artifact_info'), `artifact_name=${factoryArtifact}\n`);
  await writeFile(join(at('state'), 'device_type'), `device_type=${stockDeviceType}\n`);
  await writeProgram(join(at('identity'), 'mender-device-identity'), `#!/bin/sh\necho mac=${mac}\n`);
  await writeProgram(join(at('inventory'), 'mender-inventory-board'), inventoryScript);
  await writeFile(join(scripts, 'version'), '3');
  await writeProgram(join(scripts, 'Download_Leave_00_hold'), gateScript(at('hold')));

  let daemon: ChildProcess | undefined;
  const printed = at('daemon.log');
  const mender = (...command: readonly string[]): readonly string[] =>
    ownView(bound, [debianProgram('mender').path, '--data', at('state'), '--no-syslog', ...command]);
  return {
    mac,
    files: at('files'),
    holdAfterDownload: () => closeGate(at('hold')),
    start: async () => {
      const log = await open(printed, 'a');
      const child = spawn('unshare', mender('daemon'), {
        stdio: ['ignore', log.fd, log.fd],
        detached: true,
      });
      const { size } = await log.stat();
      await log.close();
      daemon = child;
      await until('the daemon has started', async () => {
        const text = (await readFile(printed, 'utf8')).slice(size);
        if (child.exitCode !== null) {
          throw new Error(
            `the daemon ended at once; it needs to be root, or to be allowed user namespaces, for a view of its own: ${text}`,
          );
        }
        return /State transition: init /.test(text) ? true : undefined;
      });
    },
    stop: async () => {
      const child = daemon;
      if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const { pid } = child;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      process.kill(-pid, 'SIGTERM');
      const impatience = setTimeout(() => process.kill(-pid, 'SIGKILL'), endTimeoutMs);
      await ended;
      clearTimeout(impatience);
    },
    run: (...command) =>
      // An installation by hand does not look at ServerCertificate, only at the system's authorities.
      runProgram('unshare', mender(...command), {
        environment: serverCertificate === undefined ? {} : { SSL_CERT_FILE: serverCertificate },
      }),
    log: () => readFile(printed, 'utf8'),
  };
}

async function writeProgram(path: string, script: string): Promise<void> {
  await writeFile(path, script);
  await chmod(path, 0o755);
}
