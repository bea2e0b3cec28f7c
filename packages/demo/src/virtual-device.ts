import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { uBootEnvironment } from '@tandem/boot-environment';
import { decideBoot, type BootDecision } from './bootloader.ts';
import { partitionPath, type DeviceDirectory } from './device-directory.ts';
import { extractImage, readFromImage } from './ext4-image.ts';
import type { ProgramPaths } from './prerequisites.ts';
import { killTree } from './process-tree.ts';

/** What happens on a virtual device, as someone watching its console would tell it. */
export type DeviceEvent =
  | { readonly kind: 'booted'; readonly decision: BootDecision; readonly version: string }
  | { readonly kind: 'panicked'; readonly decision: BootDecision; readonly reason: string }
  | { readonly kind: 'rebooting' }
  | { readonly kind: 'clientEnded'; readonly how: string };

export interface VirtualDeviceOptions {
  readonly device: DeviceDirectory;
  readonly programs: ProgramPaths;
  /** The real client's command. */
  readonly clientCommand: string;
  readonly onEvent?: (event: DeviceEvent) => void;
  /** Called with power off, before the bootloader runs: where a test may damage what was written. */
  readonly beforeBoot?: (decidedPartition: number) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface VirtualDevice {
  /** The power cord: ends the client and all it started at once (SIGKILL), and boots again. */
  cutPower(): void;
  /** Resolves when the device was switched off by its signal; rejects when it can never boot again. */
  readonly ended: Promise<void>;
}

const stopGraceMs = 10_000;
const watchdogMs = 300;
const pollMs = 50;

/** Switches a virtual device on: power-on, bootloader, "kernel", client, and again at each reboot, until `signal`. */
export function startVirtualDevice(options: VirtualDeviceOptions): VirtualDevice {
  let client: ChildProcess | undefined;
  const ended = (async (): Promise<void> => {
    while (!options.signal.aborted) {
      const root = await boot(options);
      if (root === undefined) {
        await sleep(watchdogMs); // nothing runs; the hardware watchdog resets the board
        continue;
      }
      client = await startClient(options, root);
      await runUntilReset(options, client);
    }
  })();
  return {
    cutPower: () => {
      if (client?.pid !== undefined) killTree(client.pid);
    },
    ended,
  };
}

/** Bootloader and kernel: the tree of the chosen root file system, or undefined after a panic. */
async function boot({
  device,
  programs,
  onEvent,
  beforeBoot,
}: VirtualDeviceOptions): Promise<string | undefined> {
  const environment = uBootEnvironment(device.bootEnvironment);
  const decision = decideBoot(await environment.read());
  await beforeBoot?.(decision.partition);
  if (Object.keys(decision.changes).length > 0) await environment.write(decision.changes);

  const image = partitionPath(device, decision.partition);
  const root = join(device.run, 'root');
  await rm(device.run, { recursive: true, force: true });
  await mkdir(device.run, { recursive: true });
  // Relative to the root, where the client starts: a command line is split at spaces, which our own path may hold.
  await writeFile(join(device.run, 'cmdline'), `console=ttyS0 root=../../${basename(image)} rootwait\n`);
  await extractImage(programs, image, root);
  if (!existsSync(join(root, 'sbin', 'init'))) {
    onEvent?.({ kind: 'panicked', decision, reason: 'no working init found' });
    return undefined;
  }
  const version = /^VERSION_ID=(.*)$/m.exec(
    (await readFromImage(programs, image, '/etc/os-release')) ?? '',
  )?.[1];
  onEvent?.({ kind: 'booted', decision, version: version ?? 'unreadable' });
  return root;
}

async function startClient(
  { device, clientCommand }: VirtualDeviceOptions,
  root: string,
): Promise<ChildProcess> {
  const log = await open(device.consoleLog, 'a');
  try {
    return spawn(clientCommand, ['daemon'], {
      cwd: root,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: {
        PATH: [device.programs, dirname(process.execPath), '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(
          ':',
        ),
        ROOT: root,
        RUN: device.run,
        HARDWARE: device.hardware,
        MENDER_CONF_DIR: join(root, 'etc', 'mender'),
        MENDER_DATA_DIR: join(root, 'usr', 'share', 'mender'),
        MENDER_DATASTORE_DIR: device.dataStore,
        TANDEM_FW_ENV_CONFIG: device.fwEnvConfig,
        TANDEM_KERNEL_COMMAND_LINE: join(device.run, 'cmdline'),
      },
    });
  } finally {
    await log.close();
  }
}

/** Resolves when the client asked for a reboot, ended, or the device was switched off; the client is gone then. */
async function runUntilReset(
  { device, onEvent, signal }: VirtualDeviceOptions,
  client: ChildProcess,
): Promise<void> {
  const exited = new Promise<string>((resolve) => {
    client.once('error', (error) => {
      resolve(error.message);
    });
    client.once('exit', (code, killedBy) => {
      resolve(killedBy ?? `exit code ${String(code)}`);
    });
  });
  let how: string | undefined;
  void exited.then((result) => {
    how = result;
  });
  const rebootRequested = (): boolean => existsSync(join(device.run, 'reboot-requested'));
  while (how === undefined && !signal.aborted && !rebootRequested()) await sleep(pollMs);

  if (how === undefined) {
    if (!signal.aborted) onEvent?.({ kind: 'rebooting' });
    kill(client, 'SIGTERM');
    const grace = setTimeout(() => {
      kill(client, 'SIGKILL');
    }, stopGraceMs);
    await exited;
    clearTimeout(grace);
  } else if (rebootRequested()) {
    onEvent?.({ kind: 'rebooting' });
  } else {
    onEvent?.({ kind: 'clientEnded', how });
    await sleep(watchdogMs);
  }
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
