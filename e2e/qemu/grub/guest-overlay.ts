import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The name by which devices know the server: this host, as QEMU's network shows it to them. */
export const serverName = 'tandem.example';

/** What makes the image of a virtual device out of Debian and the client's packages: a network, a console, and no services it has no use for. */
const files: Readonly<Record<string, string>> = {
  'etc/hostname': 'guest\n',
  'etc/hosts': `127.0.0.1 localhost guest\n10.0.2.2 ${serverName}\n`,
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

export async function writeGuestOverlay(directory: string): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  const link = async (name: string, target: string): Promise<void> => {
    const path = join(directory, 'etc/systemd/system', name);
    await mkdir(dirname(path), { recursive: true });
    await symlink(target, path);
  };
  for (const unit of masked) await link(unit, '/dev/null');
  for (const unit of enabled) await link(unit, join('/usr/lib/systemd/system', unit.split('/').at(-1) ?? ''));
  await link('default.target', '/usr/lib/systemd/system/multi-user.target');
}
