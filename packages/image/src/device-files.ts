import { join } from 'node:path';
import type { Board } from './board.ts';
import { rewriteFstab } from './fstab.ts';
import type { ImageFile } from './image-file.ts';
import type { Partitions } from './partitions.ts';
import type { RootTree } from './root-tree.ts';

/** What the device's client is told; files are of this machine. */
export interface DeviceSettings {
  readonly deviceType: string;
  /** Keys of mender.conf, those of the board's bootloader included. */
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly serverCertificate: string | undefined;
  readonly verifyKeys: readonly string[];
}

const support = join(import.meta.dirname, '../support/device');

/** What is put beside a unit where a condition holds, enabled for a target. */
const services = [
  { name: 'grow-data', target: 'multi-user', when: (board: Board) => board['data.grow'] },
  { name: 'keep-machine-id', target: 'sysinit', when: (board: Board) => board['persist.machineId'] },
  { name: 'keep-ssh-keys', target: 'multi-user', when: (board: Board) => board['persist.sshHostKeys'] },
] as const;

/**
 * What the builder puts into the root file system: configuration, mounts, links to the data partition (client contract 1.1, 23), and the
 * services that keep there what is the device's own.
 */
export async function rootFiles(
  board: Board,
  partitions: Partitions,
  settings: DeviceSettings,
  root: RootTree,
): Promise<ImageFile[]> {
  const hasSsh = await root.exists('/usr/sbin/sshd');
  const wanted = services.filter(({ name, when }) => when(board) && (name !== 'keep-ssh-keys' || hasSsh));
  const keys = settings.verifyKeys.map((copyOf, index): ImageFile & { readonly path: string } => ({
    path:
      index === 0
        ? '/etc/mender/artifact-verify-key.pem'
        : `/etc/mender/artifact-verify-key-${index + 1}.pem`,
    copyOf,
  }));
  const configuration = {
    ...settings.configuration,
    ...(settings.serverCertificate === undefined ? {} : { ServerCertificate: '/etc/mender/server.crt' }),
    ...(keys.length === 0 ? {} : { ArtifactVerifyKeys: keys.map(({ path }) => path) }),
  };
  return [
    ...(partitions.boot === undefined ? [] : [{ path: board['boot.mount'], directory: true } as const]),
    { path: '/etc/fstab', text: rewriteFstab((await root.readText('/etc/fstab')) ?? '', board, partitions) },
    { path: '/etc/mender/mender.conf', text: json(configuration), mode: 0o600 },
    { path: '/etc/mender/scripts/version', text: '3' },
    ...(settings.serverCertificate === undefined
      ? []
      : [{ path: '/etc/mender/server.crt', copyOf: settings.serverCertificate }]),
    ...keys,
    ...linksToData,
    // Empty: systemd makes one up where the device has none yet.
    ...(board['persist.machineId'] ? [{ path: '/etc/machine-id', text: '', mode: 0o444 }] : []),
    ...(hasSsh && board['persist.sshHostKeys'] ? [sshConfiguration] : []),
    ...wanted.flatMap(({ name, target }): ImageFile[] => [
      { path: `/usr/lib/tandem-image/${name}`, copyOf: join(support, name), mode: 0o755 },
      {
        path: `/usr/lib/systemd/system/tandem-${name}.service`,
        copyOf: join(support, `tandem-${name}.service`),
      },
      {
        path: `/etc/systemd/system/${target}.target.wants/tandem-${name}.service`,
        linkTo: `/usr/lib/systemd/system/tandem-${name}.service`,
      },
    ]),
  ];
}

/** What is on the data partition under a usual name. */
export const linksToData: readonly ImageFile[] = [
  { path: '/data', directory: true },
  { path: '/var/lib/mender', linkTo: '/data/mender' },
];

/** Paths of the root file system that must not be in any device's image. */
export const removedFromRoot = (board: Board): readonly string[] => [
  ...(board['persist.sshHostKeys'] ? ['/etc/ssh/ssh_host_*'] : []),
  ...(board['persist.machineId'] ? ['/var/lib/dbus/machine-id'] : []),
  // Different each time they are made, and of no use on the device.
  '/var/log/dpkg.log',
  '/var/log/apt/*',
  '/var/log/alternatives.log',
  '/var/log/bootstrap.log',
  '/var/cache/ldconfig/aux-cache',
  '/var/lib/systemd/random-seed',
  '/var/lib/systemd/credential.secret',
];

/** What the data partition begins with: settings only this storage has, as the reference splits them. */
export function dataFiles(
  partitions: Partitions,
  settings: DeviceSettings,
  bootstrapArtifact: string,
): ImageFile[] {
  const { rootA, rootB } = partitions;
  return [
    { path: '/mender', directory: true, mode: 0o700 },
    {
      path: '/mender/mender.conf',
      text: json({ RootfsPartA: rootA.device, RootfsPartB: rootB.device }),
      mode: 0o600,
    },
    { path: '/mender/device_type', text: `device_type=${settings.deviceType}\n`, mode: 0o444 },
    { path: '/mender/bootstrap.mender', copyOf: bootstrapArtifact, mode: 0o600 },
    { path: '/tandem', directory: true, mode: 0o755 },
  ];
}

const sshKinds = ['rsa', 'ecdsa', 'ed25519'] as const;
const sshConfiguration: ImageFile = {
  path: '/etc/ssh/sshd_config.d/10-tandem-host-keys.conf',
  text: `# Host keys outlive updates on the data partition.\n${sshKinds.map((kind) => `HostKey /data/tandem/etc/ssh/ssh_host_${kind}_key\n`).join('')}`,
};

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
