import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { startArtifactServer } from '../../packages/client/src/cli/artifact-server.ts';
import { environmentCopyBytes, partitionNumbers, type BoardKind } from './small-disk.ts';

export type Server = Awaited<ReturnType<typeof startArtifactServer>>;

/** Where the parts of the disk are, as block devices or as files. */
export interface DevicePaths {
  readonly rootA: string;
  readonly rootB: string;
  /** Mounted for each boot. */
  readonly data: { readonly source: string; readonly options: string };
  readonly boot: { readonly source: string; readonly options: string };
  /** Where U-Boot's two copies lie. */
  readonly environment: { readonly path: string; readonly at: number };
}

export interface SmallDeviceOptions {
  readonly kind: BoardKind;
  readonly home: string;
  /** The bundled client. */
  readonly program: string;
  readonly serverUrl: string;
  readonly paths: DevicePaths;
}

const mountRefused = 90;
/** Arguments: the home, how and what to mount as data and as boot partition (nothing when empty), then the client. */
const bootAndRun = `
home=$1 data_options=$2 data=$3 boot_options=$4 boot=$5
shift 5
mount -o "$data_options" "$data" "$home/data" || exit ${mountRefused}
if [ -n "$boot" ]; then mount -o "$boot_options" "$boot" "$home/boot" || exit ${mountRefused}; fi
"$@" &
echo $! > "$home/client.pid"
wait $!
if [ -n "$boot" ]; then umount "$home/boot"; fi
umount "$home/data"
`;

/** How long one boot of the client may take. */
const clientLimitMs = 60_000;

/** The running system of a device: mounts what it needs, runs the client as its daemon, and goes down. Needs root. */
export async function makeSmallDevice({ kind, home, program, serverUrl, paths }: SmallDeviceOptions) {
  const at = (...names: string[]) => join(home, ...names);
  for (const made of ['etc', 'share/identity', 'share/inventory', 'bin', 'data', 'boot'])
    await mkdir(at(made), { recursive: true });
  const config = {
    ServerURL: serverUrl,
    RootfsPartA: paths.rootA,
    RootfsPartB: paths.rootB,
    BootEnvironment: kind,
    UpdatePollIntervalSeconds: 1,
    InventoryPollIntervalSeconds: 3600,
    RetryPollIntervalSeconds: 1,
    DBus: { Enabled: false },
  };
  await writeFile(at('etc/mender.conf'), JSON.stringify(config));
  const copies = [0, environmentCopyBytes].map((offset) => paths.environment.at + offset);
  await writeFile(
    at('etc/fw_env.config'),
    copies.map((offset) => `${paths.environment.path} ${offset} ${environmentCopyBytes}\n`).join(''),
  );
  await writeFile(at('etc/mender_grubenv.config'), `ENV_DIR=${at('boot/grub-mender-grubenv')}\n`);
  const script = (path: string, text: string) => writeFile(at(path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  await script('share/identity/mender-device-identity', 'echo mac=02:00:00:00:00:01');
  // As much of a reboot as a program sees: it is ended, at once.
  await script('bin/reboot', `touch ${at('rebooting')}; kill -9 $(cat ${at('client.pid')})`);

  return {
    /**
     * Boots into that partition: mounts, runs the client until it reboots or until `enough` says so, which ends it in the usual way, and
     * unmounts. In a mount namespace of its own, or others of this machine would keep the file systems mounted.
     */
    run: async (partition: number, enough: () => boolean): Promise<{ rebooted: boolean; log: string }> => {
      const root = partition === partitionNumbers.rootA ? paths.rootA : paths.rootB;
      await writeFile(at('cmdline'), `root=${root} rw\n`);
      await rm(at('rebooting'), { force: true });
      await rm(at('client.pid'), { force: true });
      const { data, boot } = paths;
      const node = process.env['TANDEM_CLIENT_NODE'] ?? process.execPath;
      const mounts = kind === 'grub' ? [boot.options, boot.source] : ['', ''];
      const system = spawn(
        'unshare',
        [
          '--mount',
          'sh',
          '-uc',
          bootAndRun,
          'sh',
          home,
          data.options,
          data.source,
          ...mounts,
          node,
          program,
          'daemon',
        ],
        {
          env: {
            PATH: `${at('bin')}:${process.env['PATH']}`,
            MENDER_CONF_DIR: at('etc'),
            MENDER_DATA_DIR: at('share'),
            MENDER_DATASTORE_DIR: at('data/mender'),
            TANDEM_KERNEL_COMMAND_LINE: at('cmdline'),
            TANDEM_FW_ENV_CONFIG: at('etc/fw_env.config'),
            TANDEM_GRUB_ENV_CONFIG: at('etc/mender_grubenv.config'),
            TANDEM_GRUB_LOCK: at('grub.lock'),
          },
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      );
      let log = '';
      system.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
      const ended = new Promise<number | null>((resolve) => system.once('close', resolve));
      const signalClient = (signal: NodeJS.Signals) => {
        const pid = Number(readFileSync(at('client.pid'), 'utf8'));
        if (pid > 0) process.kill(pid, signal);
      };
      let asked = false;
      const watch = setInterval(() => {
        if (asked || !enough()) return;
        asked = true;
        signalClient('SIGTERM');
      }, 20);
      const tooLong = setTimeout(() => signalClient('SIGKILL'), clientLimitMs);
      const code = await ended;
      clearInterval(watch);
      clearTimeout(tooLong);
      if (code === mountRefused) throw new Error(`The kernel does not mount what a boot mounts: ${log}`);
      return { rebooted: existsSync(at('rebooting')), log };
    },
    at,
  };
}
