import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Board } from './board.ts';
import { foreignMounts } from './fstab.ts';
import type { RootTree } from './root-tree.ts';

/** What is known when warnings are sought: the root file system as it came, before the builder changed it. */
export interface Inspected {
  readonly root: RootTree;
  readonly board: Board;
  readonly serverUrl: string | undefined;
  readonly serverCertificate: string | undefined;
  readonly verifyKeys: readonly string[];
  readonly packages: readonly string[];
  readonly nowMs: number;
}

type Check = (inspected: Inspected) => Promise<string | undefined>;

/** Warnings about places that are there: what is written to them on a device is lost with the next update, or is the same on all devices. */
const places = {
  '/etc/resolv.conf': {
    when: (text: string) => /^\s*nameserver/m.test(text),
    warning:
      'names the name servers of the machine it was made on; link it to /run/systemd/resolve/stub-resolv.conf, or empty it',
  },
  '/etc/hostname': {
    when: (text: string) => /^(localhost|debian|raspberrypi)?\s*$/.test(text),
    warning: 'is what every device will be called',
  },
  '/etc/crypttab': {
    when: (text: string) => /^\s*[^#\s]/m.test(text),
    warning: 'names devices of another storage',
  },
  '/etc/initramfs-tools/conf.d/resume': {
    when: (text: string) => /UUID/.test(text),
    warning: 'has the device wait for a swap partition it does not have; set RESUME=none',
  },
  '/etc/udev/rules.d/70-persistent-net.rules': {
    when: () => true,
    warning: 'names network cards of another machine',
  },
} as const;

/** Directories that ought to be empty in an image, or on the data partition. */
const directories = {
  '/var/spool/cron/crontabs':
    'holds tables that crontab -e changes; such changes are lost with the next update. Put jobs into /etc/cron.d or timers',
  '/var/lib/docker': 'holds containers, which the next update takes away; link it to /data',
  '/var/lib/postgresql': 'holds a database, which the next update takes away; link it to /data',
  '/var/lib/mysql': 'holds a database, which the next update takes away; link it to /data',
  '/var/lib/dhcp': 'holds leases of another machine',
  '/var/lib/NetworkManager': 'holds what another machine knew of its networks',
  '/etc/NetworkManager/system-connections':
    'holds connections; those a user adds on the device are lost with the next update unless it is linked to /data',
  '/root/.ssh': 'lets in, or lets out, whoever made the image',
  '/var/log/journal':
    'holds the journal of another machine, and is lost with each update; link it to /data, or keep it in memory (Storage=volatile)',
} as const;

const sshKey = /^ssh_host_.*_key$/;

const checks: readonly Check[] = [
  ({ verifyKeys }) =>
    says(
      verifyKeys.length === 0,
      'No verification key (--verify-key): the device installs any artifact that reaches it, whoever made it. Make a pair with ' +
        '"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", sign with --key.',
    ),
  ({ serverUrl }) =>
    says(
      serverUrl?.startsWith('http://') === true,
      `The server is asked without TLS (${serverUrl ?? ''}): whoever is on the way reads and changes what devices get.`,
    ),
  async ({ serverCertificate, nowMs }) => {
    if (serverCertificate === undefined) return undefined;
    const ends = new X509Certificate(await readFile(serverCertificate)).validToDate.getTime();
    return says(
      ends < nowMs + 90 * 86_400_000,
      `The server certificate ${serverCertificate} ends on ${new Date(ends).toISOString().slice(0, 10)}; devices that have not been updated by then are lost.`,
    );
  },
  async ({ verifyKeys }) => {
    for (const path of verifyKeys) createPublicKey(await readFile(path));
    return undefined;
  },
  async ({ root, packages }) => {
    const hasClient = await root.exists('/usr/bin/mender-update');
    return says(
      !hasClient && packages.length === 0 && !(await root.exists('/usr/bin/mender')),
      'There is no update client in the root file system and none is installed (--package): the first image would be the last.',
    );
  },
  async ({ root, board }) =>
    says(
      !board['persist.sshHostKeys'] && (await root.list('/etc/ssh')).some((name) => sshKey.test(name)),
      '/etc/ssh holds host keys: every device would have the same. Set persist.sshHostKeys.',
    ),
  async ({ root, board }) =>
    says(
      !board['persist.machineId'] && ((await root.readText('/etc/machine-id')) ?? '').trim().length === 32,
      '/etc/machine-id is set: every device would have the same. Set persist.machineId.',
    ),
  async ({ root, board }) =>
    says(
      board['data.grow'] &&
        !((await root.exists('/usr/sbin/sfdisk')) && (await root.exists('/usr/sbin/resize2fs'))),
      'The data partition will not grow on the device: it lacks sfdisk or resize2fs. Add the packages fdisk and e2fsprogs, or unset data.grow.',
    ),
  async ({ root }) =>
    says(
      await root.exists('/var/lib/mender/mender-agent.pem'),
      '/var/lib/mender holds the key of a device; it is left out, with all there.',
    ),
  async ({ root }) => {
    const lines = foreignMounts((await root.readText('/etc/fstab')) ?? '');
    return says(lines.length > 0, `/etc/fstab mounts what the new storage may not have: ${lines.join('; ')}`);
  },
  async ({ root }) => {
    const swap = (await root.readText('/etc/fstab'))?.match(/^\s*(\/\S+)\s+\S+\s+swap\s/m)?.[1];
    return says(
      swap !== undefined && (await root.exists(swap)),
      `The swap file ${swap ?? ''} is in the root file system and would be in every artifact; put it on /data.`,
    );
  },
  async ({ root }) => {
    const logs: string[] = [];
    for (const name of await root.list('/var/log'))
      if (
        /^(syslog|messages|kern\.log|auth\.log|daemon\.log|wtmp|btmp|lastlog)$/.test(name) &&
        (await size(root, `/var/log/${name}`)) > 0
      )
        logs.push(name);
    return says(
      logs.length > 0,
      `/var/log holds logs of another machine (${logs.join(', ')}); logs are lost with each update unless they go to /data.`,
    );
  },
  async ({ root }) => {
    const accounts = ((await root.readText('/etc/shadow')) ?? '').split('\n').map((line) => line.split(':'));
    const open = accounts.filter(([name, hash]) => name !== '' && hash === '').map(([name]) => name);
    return says(open.length > 0, `No password is asked for ${open.join(', ')}.`);
  },
];

/** Everything worth telling before such an image is put on devices; none of it keeps the image from being made. */
export async function findWarnings(inspected: Inspected): Promise<readonly string[]> {
  const found: (string | undefined)[] = [];
  for (const check of checks) found.push(await check(inspected));
  for (const [path, { when, warning }] of Object.entries(places)) {
    const text = await inspected.root.readText(path);
    if (text !== undefined && when(text)) found.push(`${path} ${warning}.`);
  }
  for (const [path, warning] of Object.entries(directories)) {
    const names = await inspected.root.list(path);
    if (names.length > 0) found.push(`${path} ${warning}.`);
  }
  return found.filter((warning) => warning !== undefined);
}

const says = (holds: boolean, warning: string): Promise<string | undefined> =>
  Promise.resolve(holds ? warning : undefined);

const size = async (root: RootTree, path: string): Promise<number> =>
  (await root.readBytes(path, 1))?.length ?? 0;
