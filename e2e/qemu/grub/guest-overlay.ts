import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DebianKind } from './debian-root.ts';

/** The name by which devices know the server: this host, as QEMU's network shows it to them. */
export const serverName = 'tandem.example';

const always: Readonly<Record<string, string>> = {
  'etc/hostname': 'guest\n',
  'etc/hosts': `127.0.0.1 localhost guest\n10.0.2.2 ${serverName}\n`,
};

/** With systemd: a network, a console, and no services a virtual device has no use for. */
const forSystemd: Readonly<Record<string, string>> = {
  'etc/systemd/network/80-dhcp.network':
    '[Match]\nName=en*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n',
  'etc/systemd/journald.conf.d/volatile.conf': '[Journal]\nStorage=volatile\n',
  // Whoever holds the serial line of a virtual device is root.
  'etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf':
    '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 - linux\n',
  // What the client does is seen on the serial line.
  'etc/systemd/system/mender-updated.service.d/console.conf':
    '[Service]\nStandardOutput=journal+console\nStandardError=journal+console\n',
  // A machine without the device says so once.
  'etc/systemd/system.conf.d/watchdog.conf': '[Manager]\nRuntimeWatchdogSec=20s\n',
};

/** Programs of the lean Debian: the first process, and `reboot`, which the client calls. */
const programs: Readonly<Record<string, string>> = {
  'usr/sbin/init': `#!/bin/bash
# The first process of a virtual device: mounts, network, the client for ever, and a root shell on the serial line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux PS1='root@guest:~# '
# No initrd was there to mount them, nor could the kernel open the console before.
mount -t devtmpfs dev /dev
exec < /dev/console > /dev/console 2>&1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs run /run
mkdir -p /run/lock
mount -o remount,rw /
mount -a
hostname guest
modprobe -a virtio_pci virtio_net
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
while :; do mender-update daemon; sleep 1; done > /dev/ttyS0 2>&1 &
while :; do setsid --ctty --wait bash --noprofile --norc < /dev/ttyS0 > /dev/ttyS0 2>&1; sleep 1; done
`,
  'usr/sbin/reboot': `#!/bin/sh
sync
umount /boot/efi /data
mount -o remount,ro /
exec busybox reboot -f
`,
};

const masked = [
  'systemd-logind.service',
  'systemd-networkd-wait-online.service',
  'systemd-timesyncd.service',
  'systemd-update-utmp.service',
  'e2scrub_reap.service',
  'e2scrub_all.timer',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'fstrim.timer',
  'systemd-tmpfiles-clean.timer',
  'getty@tty1.service',
  'modprobe@drm.service',
];
const enabled = ['multi-user.target.wants/systemd-networkd.service'];

export async function writeGuestOverlay(kind: DebianKind, directory: string): Promise<void> {
  const put = async (files: Readonly<Record<string, string>>, mode: number): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
      await chmod(join(directory, path), mode);
    }
  };
  const link = async (name: string, target: string): Promise<void> => {
    const path = join(directory, 'etc/systemd/system', name);
    await mkdir(dirname(path), { recursive: true });
    await symlink(target, path);
  };
  await put(always, 0o644);
  if (kind === 'lean') {
    await put(programs, 0o755);
    return;
  }
  await put(forSystemd, 0o644);
  for (const unit of masked) await link(unit, '/dev/null');
  for (const unit of enabled) await link(unit, join('/usr/lib/systemd/system', unit.split('/').at(-1) ?? ''));
  await link('default.target', '/usr/lib/systemd/system/multi-user.target');
}
