import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createUBootEnvironment, uBootEnvironment } from '@tandem/boot-environment';

export interface VirtualDeviceOptions {
  /** A directory for it alone. */
  readonly home: string;
  /** The bundled client. */
  readonly program: string;
  readonly serverUrl: string;
  readonly active: Buffer;
  readonly inactive: Buffer;
  /** Added to mender.conf. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Added to the client's environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface BootEnd {
  readonly log: string;
  /** The client's exit code; null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A device for tests, as a directory: the whole client as a process of its own, two partitions as plain files, U-Boot's environment in
 * two files, and a boot loop that does what U-Boot does.
 */
export async function makeVirtualDevice({
  home,
  program,
  serverUrl,
  active,
  inactive,
  settings = {},
  environment: added = {},
}: VirtualDeviceOptions) {
  const at = (...parts: string[]) => join(home, ...parts);
  for (const made of ['etc', 'share/identity', 'share/inventory', 'data/mender', 'bin'])
    await mkdir(at(made), { recursive: true });
  const partitions = { 2: at('mmcblk0p2'), 3: at('mmcblk0p3') } as const;
  await writeFile(partitions[2], active);
  await writeFile(partitions[3], inactive);
  const copies = [
    { path: at('uboot-1'), offsetBytes: 0, sizeBytes: 4096 },
    { path: at('uboot-2'), offsetBytes: 0, sizeBytes: 4096 },
  ] as const;
  await createUBootEnvironment(copies, {
    mender_boot_part: '2',
    mender_boot_part_hex: '2',
    upgrade_available: '0',
    bootcount: '0',
  });
  const config = (value: unknown) => JSON.stringify(value);
  await writeFile(at('fw_env.config'), copies.map(({ path }) => `${path} 0x0 0x1000\n`).join(''));
  await writeFile(
    at('etc/mender.conf'),
    config({
      ServerURL: serverUrl,
      UpdatePollIntervalSeconds: 1,
      InventoryPollIntervalSeconds: 1,
      RetryPollIntervalSeconds: 1,
      // The bus of the machine is not this device's.
      DBus: { Enabled: false },
      ...settings,
    }),
  );
  await writeFile(
    at('data/mender/mender.conf'),
    config({ RootfsPartA: partitions[2], RootfsPartB: partitions[3], BootEnvironment: 'u-boot' }),
  );
  await writeFile(at('data/mender/device_type'), 'device_type=virtual\n');
  const script = (path: string, text: string) => writeFile(at(path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await script('share/identity/mender-device-identity', `echo mac=${home}`);
  await script('share/inventory/mender-inventory-kernel', 'echo kernel=virtual');
  await script('bin/reboot', `touch ${at('rebooting')}; kill -9 $(cat ${at('client.pid')})`);

  const environment = uBootEnvironment(copies);
  /** What U-Boot does: count a trial boot, and go back after the first that was not committed. */
  const bootloader = async () => {
    const variables = await environment.read();
    const onTrial = variables.get('upgrade_available') === '1';
    if (onTrial && Number(variables.get('bootcount')) >= 1) {
      const part = variables.get('mender_boot_part') === '2' ? '3' : '2';
      await environment.write({ mender_boot_part: part, mender_boot_part_hex: part, upgrade_available: '0' });
    } else if (onTrial) await environment.write({ bootcount: '1' });
    const part = (await environment.read()).get('mender_boot_part') === '3' ? 3 : 2;
    await writeFile(at('cmdline'), `console=ttyS0 root=${partitions[part]} rw\n`);
  };

  /** Boots and runs the client until it reboots, ends by itself, or `enough` says so. */
  const bootUntil = async (
    enough: (log: string) => boolean,
    ending: NodeJS.Signals,
    words: readonly string[] = ['daemon'],
  ): Promise<BootEnd> => {
    await bootloader();
    await rm(at('rebooting'), { force: true });
    // The bundle runs on older Nodes than the tests: TANDEM_CLIENT_NODE names another.
    const node = process.env['TANDEM_CLIENT_NODE'] ?? process.execPath;
    const client = spawn(node, [program, ...words], {
      env: {
        PATH: `${at('bin')}:${process.env['PATH']}`,
        MENDER_CONF_DIR: at('etc'),
        MENDER_DATA_DIR: at('share'),
        MENDER_DATASTORE_DIR: at('data/mender'),
        TANDEM_KERNEL_COMMAND_LINE: at('cmdline'),
        TANDEM_FW_ENV_CONFIG: at('fw_env.config'),
        ...added,
      },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    await writeFile(at('client.pid'), String(client.pid));
    let log = '';
    client.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const exited = new Promise<Omit<BootEnd, 'log'>>((resolve) => {
      client.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
    });
    const watch = setInterval(() => enough(log) && client.kill(ending), 20);
    const tooLong = setTimeout(() => client.kill('SIGKILL'), 30_000);
    const end = await exited;
    clearInterval(watch);
    clearTimeout(tooLong);
    return { log, ...end };
  };
  /** The same, ended in the usual way when it is enough; gives the log. */
  const boot = async (enough: (log: string) => boolean) => (await bootUntil(enough, 'SIGTERM')).log;
  /** `daemon --once`, as a timer starts it: until it ends by itself or by the reboot. */
  const bootOnce = (enough: (log: string) => boolean = () => false) =>
    bootUntil(enough, 'SIGTERM', ['daemon', '--once']);
  return { boot, bootOnce, bootUntil, bootloader, environment, partitions, active, at };
}

/** Command lines of the processes of this device that live: the client itself, and whatever it or a program of its has started. */
export async function processesOf(home: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    // The client's environment goes on to all it starts, and names the device. What has ended meanwhile has none.
    const environment = await readFile(join('/proc', pid, 'environ'), 'utf8').catch(() => '');
    if (!environment.includes(`MENDER_CONF_DIR=${home}/`)) continue;
    const words = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
    found.push(words.replaceAll('\0', ' ').trim());
  }
  return found;
}
