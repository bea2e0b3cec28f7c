import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { startArtifactServer } from '../../packages/client/src/cli/artifact-server.ts';
import { stateScript } from './small-system.ts';
import { environmentCopyBytes, partitionNumbers, type BoardKind, type PartName } from './small-disk.ts';

export type Server = Awaited<ReturnType<typeof startArtifactServer>>;

export type SmallDevice = Awaited<ReturnType<typeof makeSmallDevice>>;

export interface SmallDeviceOptions {
  readonly kind: BoardKind;
  /** Of this machine, for what the device is told. */
  readonly home: string;
  /** The bundled client. */
  readonly program: string;
  readonly serverUrl: string;
  /** Further options of the data partition's mount. */
  readonly dataMount?: string | undefined;
}

/**
 * What a part of the disk is: a file, which forgets what a flush is, or a disk of `openVirtualDisks`. The root file system that is booted,
 * which nobody writes, must be a file: the kernel has its driver for the others from there.
 */
export type PartDisk = { readonly file: string } | { readonly socket: string };

/** How one boot ended. */
export interface BootEnd {
  /** The client has asked for it, or the kernel has panicked: the bootloader comes next. */
  readonly rebooted: boolean;
  readonly log: string;
}

/** What the device calls the parts of its disk: a memory card with partitions 1 to 4. */
const names = {
  boot: 'mmcblk0p1',
  environment: 'mmcblk0env0',
  witness: 'witness',
  rootA: 'mmcblk0p2',
  rootB: 'mmcblk0p3',
  data: 'mmcblk0p4',
} as const satisfies Record<PartName, string>;
const kernel = 'linux.uml';
/** How long one boot may take. */
const bootLimitMs = 120_000;
/** Without what ext4 does of its own for programs that forget to flush before they rename. */
const strictDataMount = 'noauto_da_alloc';

/**
 * A device whose kernel is a real Linux as a program of this machine (user-mode Linux): its drivers of block devices and file systems, its
 * page cache and its mounts are those of any Linux, and it starts in a second. Neither it nor its user needs to be root.
 */
export async function makeSmallDevice({ kind, home, program, serverUrl, dataMount }: SmallDeviceOptions) {
  const at = (...names: string[]) => join(home, ...names);
  for (const made of ['etc/scripts', 'share/identity', 'share/inventory'])
    await mkdir(at(made), { recursive: true });
  const config = {
    // This machine's loopback, as the device's network shows it.
    ServerURL: serverUrl.replace('127.0.0.1', '10.0.2.2'),
    RootfsPartA: `/dev/${names.rootA}`,
    RootfsPartB: `/dev/${names.rootB}`,
    BootEnvironment: kind,
    UpdatePollIntervalSeconds: 1,
    InventoryPollIntervalSeconds: 3600,
    RetryPollIntervalSeconds: 1,
    DBus: { Enabled: false },
  };
  await writeFile(at('etc/mender.conf'), JSON.stringify(config));
  await writeFile(
    at('etc/fw_env.config'),
    [0, environmentCopyBytes]
      .map((offset) => `/dev/${names.environment} ${offset} ${environmentCopyBytes}\n`)
      .join(''),
  );
  await writeFile(at('etc/mender_grubenv.config'), 'ENV_DIR=/boot/efi/grub-mender-grubenv\n');
  await writeFile(at('share/identity/mender-device-identity'), '#!/bin/sh\necho mac=02:00:00:00:00:01\n', {
    mode: 0o755,
  });
  await writeFile(at('etc/scripts/version'), '3\n');
  await writeFile(at('etc/scripts/Download_Enter_00'), stateScript, { mode: 0o755 });
  const node = process.env['TANDEM_CLIENT_NODE'] ?? process.execPath;

  return {
    /**
     * Boots the kernel with that partition as its root, until the client reboots or until `enough` says so, which ends the client in the
     * usual way.
     */
    run: async (
      partition: number,
      disks: Readonly<Record<PartName, PartDisk>>,
      enough: () => boolean,
    ): Promise<BootEnd> => {
      const { args, root, nodes } = attached(disks, partition === partitionNumbers.rootA ? 'rootA' : 'rootB');
      const system = spawn(
        kernel,
        [
          'mem=320M',
          ...args,
          `root=/dev/${root}`,
          'ro',
          'rootfstype=ext4',
          'init=/sbin/init',
          'eth0=slirp,,/usr/bin/slirp-fullbolt',
          'con=null',
          'con0=fd:0,fd:1',
          'quiet',
          `device=${resolve(home)}`,
          `node=${node}`,
          `client=${resolve(program)}`,
          `data_options=${[strictDataMount, ...(dataMount === undefined ? [] : [dataMount])].join()}`,
          `disks=${nodes.join()}`,
        ],
        // In a group of its own, which is ended as a whole: its processes are processes of this machine.
        { stdio: ['pipe', 'pipe', 'ignore'], detached: true },
      );
      let log = '';
      system.stdout.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
      // It may be gone before it has read what is typed.
      system.stdin.on('error', () => undefined);
      let asked = false;
      const watch = setInterval(() => {
        if (asked || !enough()) return;
        asked = true;
        system.stdin.write('enough\n');
      }, 20);
      const cut = () => {
        if (system.pid !== undefined) process.kill(-system.pid, 'SIGKILL');
      };
      const tooLong = setTimeout(cut, bootLimitMs);
      process.once('exit', cut);
      await once(system, 'close');
      process.removeListener('exit', cut);
      clearInterval(watch);
      clearTimeout(tooLong);
      if (!/device: (reboots|ends)|Kernel panic/.test(log))
        throw new Error(`The device did not come up or did not go down: ${log.slice(-1000)}`);
      return { rebooted: !log.includes('device: ends'), log };
    },
  };
}

/** The kernel's arguments for these disks, which of its disks is the root, and what is called what: `mmcblk0p1:vda`. */
function attached(disks: Readonly<Record<PartName, PartDisk>>, root: 'rootA' | 'rootB') {
  const letters = 'abcdef';
  const args: string[] = [];
  const called: Partial<Record<PartName, string>> = {};
  let files = 0;
  let sockets = 0;
  for (const name of Object.keys(names) as PartName[]) {
    const disk = disks[name];
    if ('file' in disk) {
      args.push(`ubd${files}=${disk.file}`);
      called[name] = `ubd${letters[files]}`;
      files += 1;
    } else {
      // 2 is the kind of device: a disk.
      args.push(`virtio_uml.device=${disk.socket}:2`);
      called[name] = `vd${letters[sockets]}`;
      sockets += 1;
    }
  }
  const nodes = (Object.keys(names) as PartName[]).map((name) => `${names[name]}:${called[name]}`);
  return { args, root: called[root], nodes };
}
