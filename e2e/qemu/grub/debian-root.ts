import { createHash } from 'node:crypto';
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@tandem/demo';

/**
 * Two Debians for virtual devices, without what a device with neither people nor sound nor screen has no use for; the rest comes with the
 * client's packages and the image builder.
 *
 *   full   systemd, the full Debian kernel, an initrd
 *   lean   the cloud kernel, which needs no initrd, and a shell script as the first process (guest-overlay.ts); most of the rest is
 *          removed when the image is made (make-lean): what an emulated processor starts and updates in a fraction of the time
 */
const packagesOf = {
  full:
    'linux-image-amd64 initramfs-tools systemd systemd-sysv udev kmod iproute2 dosfstools e2fsprogs fdisk ' +
    'openssh-server shim-signed grub-efi-amd64-signed mokutil',
  lean: 'linux-image-cloud-amd64 busybox-static kmod iproute2',
} as const;
export type DebianKind = keyof typeof packagesOf;

/** What the client and its Node depend on. */
const neededByClient = 'libatomic1 libstdc++6 xz-utils zstd';

const leftOutDrivers =
  'gpu media net/wireless net/ethernet infiniband staging iio isdn scsi bluetooth hid input mtd ' +
  'hwmon platform';
const leftOutParts =
  'sound net/mac80211 net/wireless net/bluetooth net/netfilter net/sched fs/xfs fs/btrfs fs/ocfs2 ' +
  'fs/nfs fs/nfsd fs/smb fs/ceph fs/gfs2 fs/jfs';
const leftOutTexts = ['doc', 'man', 'locale', 'info', 'zoneinfo'];

/** Never unpacked: most of the kernel's drivers, and what is there to be read. */
const excluded = [
  leftOutTexts.map((kind) => `/usr/share/${kind}/*`),
  leftOutDrivers.split(' ').map((drivers) => `/lib/modules/*/kernel/drivers/${drivers}/*`),
  leftOutParts.split(' ').map((part) => `/lib/modules/*/kernel/${part}/*`),
].flat();
/** USB sticks are disks of SCSI, whose core lies among the drivers that are left out. */
const included = ['/lib/modules/*/kernel/drivers/scsi/scsi_*', '/lib/modules/*/kernel/drivers/scsi/sd_mod*'];

/** An initrd with what the machine needs before systemd runs, made for a machine that is not this one. */
const smallInitrd =
  'mkdir -p "$1/etc/initramfs-tools/conf.d" && echo MODULES=list > "$1/etc/initramfs-tools/conf.d/tandem" && ' +
  'printf "nvme\\next4\\ncrc32c_generic\\ni6300esb\\n" > "$1/etc/initramfs-tools/modules"';

/** Makes it as a tar archive in `directory`, or finds it there from an earlier time. Packages come from the archive this machine uses. */
export async function makeDebianRoot(kind: DebianKind, directory: string): Promise<string> {
  const command = [
    '--variant=minbase',
    `--include=${`${packagesOf[kind]} ${neededByClient}`.replaceAll(' ', ',')}`,
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    ...excluded.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...included.map((path) => `--dpkgopt=path-include=${path}`),
    ...(kind === 'full' ? [`--essential-hook=${smallInitrd}`] : []),
    // The next update-initramfs of the device is no faster with them.
    '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/*',
    'bookworm',
  ];
  const name = createHash('sha256').update(command.join('\0')).digest('hex').slice(0, 16);
  const path = join(directory, `debian-${kind}-${name}.tar`);
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) return path;
  await mkdir(directory, { recursive: true });
  await runProgram('mmdebstrap', [...command, `${path}.new.tar`], { timeoutMs: 1_200_000 });
  await rename(`${path}.new.tar`, path);
  return path;
}
