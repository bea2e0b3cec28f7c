import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { rootfsImage, writeArtifactFile } from '@tandem/artifact';
import { createUBootEnvironment, uBootEnvironment } from '@tandem/boot-environment';
import { forgetCache, openBlockDevices } from './block-devices.ts';
import { failingMedium, type Fault } from './failing-medium.ts';
import { soundMedium } from './medium.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;
const activeBytes = 8 * MiB;
const installLimitMs = 120_000;

/** What became of an installation. Only `missed` bricks devices. */
export type Verdict =
  /** Refused: the next boot is the old one. */
  | 'detected'
  /** The next boot tries the new image, and the disk holds it whole. */
  | 'harmless'
  /** The next boot tries an image that is not the one of the artifact, or has no environment left to decide by. */
  | 'missed';

/** The disk that fails: the partition that is written, or the one with U-Boot's two copies of its environment. */
export type FailingPart = 'image' | 'environment';

/** The installing program, as seen from inside the device; the artifact's path is appended. */
export type Installer = readonly string[];

/** A bundled client in the device's own directory. */
export const installerOf = (bundle: string): Installer => ['/node/node', `/device/${bundle}`, 'install'];

export const installers = {
  tandem: installerOf('tandem-update'),
  'mender-client 3.4': ['/usr/bin/mender', '--no-syslog', '--data', '/device/data', 'install'],
} as const satisfies Record<string, Installer>;

export interface FailingDeviceOptions {
  readonly directory: string;
  /** The bundled client, shown to the device as `/device/tandem-update`. */
  readonly bundle: string;
  readonly imageBytes: number;
  /** Longest write the block device takes, so that an image becomes so many writes. */
  readonly writeBytes: number;
  readonly fails?: FailingPart;
}

const copyBytes = 4096;
/** With room between, so that a write that goes one sector too far does not hit both. */
const copyOffsets = [0, 2 * copyBytes] as const;
const environmentBytes = 3 * copyBytes;

/**
 * A device whose root file system is a real mount of a block device, and whose other partition or environment is a disk that fails. The programs
 * run in a mount namespace of their own, with the root file system changed to the active partition, so that they find everything
 * where they look for it on a device. Needs root.
 */
export async function makeFailingDevice({
  directory,
  bundle,
  imageBytes,
  writeBytes,
  fails = 'image',
}: FailingDeviceOptions) {
  const at = (...names: string[]) => join(directory, ...names);
  await makeTree(at('tree'));
  await mkdir(at('device'), { recursive: true });
  await mkdir(at('root'));
  await writeFile(at('active.ext4'), '');
  await truncate(at('active.ext4'), activeBytes);
  await run('mkfs.ext4', ['-q', '-F', '-d', at('tree'), at('active.ext4')]);
  const image = randomBytes(imageBytes);
  await packArtifact(image, at('device/artifact'));
  await run('cp', [bundle, at('device/tandem-update')]);

  const disk = failingMedium(fails === 'image' ? imageBytes + MiB : environmentBytes);
  const other = Buffer.alloc(fails === 'image' ? environmentBytes : imageBytes + MiB);
  const [inactiveContent, environmentContent] =
    fails === 'image' ? [disk.content, other] : [other, disk.content];
  const [inactiveMedium, environmentMedium] =
    fails === 'image' ? [disk.medium, soundMedium(other)] : [soundMedium(other), disk.medium];
  const devices = await openBlockDevices(at('blocks'), {
    mmcblk0p2: soundMedium(await readFile(at('active.ext4'))),
    mmcblk0p3: inactiveMedium,
    mmcblk0env0: environmentMedium,
  });
  const active = devices.paths['mmcblk0p2'] ?? '';
  const inactive = devices.paths['mmcblk0p3'] ?? '';
  const environment = devices.paths['mmcblk0env0'] ?? '';
  // Some other program has the device open, so that the kernel does not forget what it holds of it when the client closes it.
  const holder = await open(inactive, 'r');
  const { stdout: resolved } = await run('stat', ['--format=%Hr:%Lr', inactive]);
  await writeFile(`/sys/dev/block/${resolved.trim()}/queue/max_sectors_kb`, String(writeBytes / 1024));

  // As it is on the medium, whatever the kernel holds of it.
  const stored = at('environment');
  const copies = [
    { path: stored, offsetBytes: copyOffsets[0], sizeBytes: copyBytes },
    { path: stored, offsetBytes: copyOffsets[1], sizeBytes: copyBytes },
  ] as const;
  const storedEnvironment = async (): Promise<ReadonlyMap<string, string> | undefined> => {
    await writeFile(stored, environmentContent);
    return await uBootEnvironment(copies)
      .read()
      .catch(() => undefined);
  };
  const reset = async () => {
    disk.begin();
    for (const device of [inactive, environment]) await forgetCache(device);
    inactiveContent.fill('old');
    await rm(at('device/data'), { recursive: true, force: true });
    await mkdir(at('device/data'));
    await writeFile(at('device/data/device_type'), 'device_type=failing\n');
    await writeFile(stored, Buffer.alloc(environmentBytes));
    await createUBootEnvironment(copies, {
      mender_boot_part: '2',
      mender_boot_part_hex: '2',
      upgrade_available: '0',
      bootcount: '0',
    });
    (await readFile(stored)).copy(environmentContent);
  };

  return {
    seen: disk.seen,
    /** One installation on a disk with that fault, from the same beginning each time. */
    install: async (installer: Installer, fault?: Fault): Promise<{ verdict: Verdict; said: string }> => {
      await reset();
      disk.begin(fault);
      const said = await run(
        'unshare',
        [
          '--mount',
          'sh',
          '-euc',
          enter,
          'sh',
          at('root'),
          active,
          inactive,
          environment,
          at('device'),
          dirname(process.execPath),
          ...installer,
          '/device/artifact',
        ],
        { timeout: installLimitMs, maxBuffer: 16 * MiB },
      ).then(
        ({ stdout, stderr }) => stdout + stderr,
        (error: unknown) => String(error),
      );
      const after = await storedEnvironment();
      if (after === undefined) return { verdict: 'missed', said };
      const turned = after.get('upgrade_available') === '1';
      const whole = inactiveContent.subarray(0, imageBytes).equals(image);
      return { verdict: turned ? (whole ? 'harmless' : 'missed') : 'detected', said };
    },
    close: async () => {
      await holder.close();
      await devices.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Arguments: where the root goes, the two partitions, the environment, what the device has of its own, the directory of Node, then the program. */
const enter = `
root=$1 active=$2 inactive=$3 environment=$4 device=$5 node=$6
shift 6
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
mknod /dev/urandom c 1 9
cp -R "$active" "$inactive" "$environment" /dev
mount /dev/mmcblk0p2 "$root"
mount --bind /dev "$root/dev"
mount --bind /usr "$root/usr"
mount --bind "$device" "$root/device"
mount --bind "$node" "$root/node"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/node HOME=/tmp MENDER_DATASTORE_DIR=/device/data "$@"
`;

/** The root file system: mount points, and what lies in /etc. */
async function makeTree(tree: string): Promise<void> {
  for (const name of ['usr', 'device', 'node', 'proc', 'sys', 'tmp', 'dev', 'etc/mender', 'var/lib', 'run'])
    await mkdir(join(tree, name), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(tree, name));
  await symlink('/proc/self/mounts', join(tree, 'etc/mtab'));
  await symlink('/device/data', join(tree, 'var/lib/mender'));
  await writeFile(
    join(tree, 'etc/fw_env.config'),
    copyOffsets
      .map((offset) => `/dev/mmcblk0env0 0x${offset.toString(16)} 0x${copyBytes.toString(16)}\n`)
      .join(''),
  );
  await writeFile(join(tree, 'etc/mender/artifact_info'), 'artifact_name=version-1\n');
  await writeFile(
    join(tree, 'etc/mender/mender.conf'),
    JSON.stringify({
      RootfsPartA: '/dev/mmcblk0p2',
      RootfsPartB: '/dev/mmcblk0p3',
      BootEnvironment: 'u-boot',
    }),
  );
}

async function packArtifact(image: Buffer, path: string): Promise<void> {
  const source = { name: 'rootfs.ext4', sizeBytes: image.length, open: () => once(image) };
  await writeArtifactFile(
    {
      artifactName: 'version-2',
      depends: { deviceTypes: ['failing'] },
      payload: rootfsImage({ artifactName: 'version-2', image: source }),
    },
    path,
    { compression: 'none' },
  );
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
