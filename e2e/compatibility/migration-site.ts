import { randomBytes } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bootstrapPath,
  createUser,
  deviceDirectory,
  findPrograms,
  freePort,
  imagePath,
  makeBootstrapArtifact,
  makeDevice,
  makeImage,
  makeWorkshop,
  openFleet,
  ownProgram,
  partitionPath,
  runProgram,
  startServer,
  startVirtualDevice,
  type DeviceDirectory,
  type DeviceEvent,
  type Fleet,
  type ProgramPaths,
  type Version,
  type Workshop,
} from '@tandem/demo';
import { debianProgram } from './debian-programs.ts';

/**
 * A server and a virtual device whose version 1 runs Debian's `mender` 3.4 and whose later versions run our client: what a fleet
 * looks like on the day it moves over.
 */
export interface MigrationSite {
  readonly programs: ProgramPaths;
  readonly workshop: Workshop;
  readonly fleet: Fleet;
  readonly device: DeviceDirectory;
  readonly events: readonly DeviceEvent[];
  /** What ran at each boot, and the digest of Mender's database as it was then. */
  boots(): Promise<readonly Boot[]>;
  /** The database as Mender left it when our client first started. */
  readonly storeAtFirstBootOfOurs: string;
  close(): Promise<void>;
}

export interface Boot {
  readonly client: 'mender' | 'ours';
  readonly store: string;
}

export const group = 'all';

export async function openMigrationSite(versions: readonly Version[]): Promise<MigrationSite> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-migration-'));
  const programs = findPrograms();
  const port = await freePort();
  const place = { dataDirectory: join(directory, 'server'), port, publicPort: port };
  await mkdir(place.dataDirectory);
  const password = randomBytes(12).toString('base64url');
  await createUser(place, 'admin@example.com', password);
  const server = await startServer(place);
  const workshop = await makeWorkshop(join(directory, 'workshop'), programs, server);
  for (const version of new Set<Version>([1, ...versions])) await makeImage(workshop, version);
  await makeBootstrapArtifact(workshop, 1);

  const device = deviceDirectory('device', join(directory, 'device'));
  await makeDevice(device, { image: imagePath(workshop, 1), bootstrapArtifact: bootstrapPath(workshop) });
  await prepareForMender(device);
  const inactive = await makeBlockDevice(partitionPath(device, 3));
  const client = join(directory, 'client');
  await writeProgram(client, clientOfTheRunningSystem(device, directory));
  const off = new AbortController();
  const events: DeviceEvent[] = [];
  const virtualDevice = startVirtualDevice({
    device,
    programs,
    clientCommand: client,
    onEvent: (event) => events.push(event),
    signal: off.signal,
  });
  const fleet = await openFleet({
    url: `https://localhost:${String(port)}`,
    certificate: server.certificate,
    email: 'admin@example.com',
    password,
    devices: [device],
    signal: off.signal,
  });
  await fleet.acceptDevices();
  await fleet.waitForInventory();
  await fleet.putInGroup(group);
  return {
    programs,
    workshop,
    fleet,
    device,
    events,
    storeAtFirstBootOfOurs: join(directory, 'store-at-first-boot-of-ours'),
    boots: async () =>
      (await readFile(join(directory, 'boots'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => line.split(' '))
        .map(([who, store]) => ({ client: who === 'mender' ? 'mender' : 'ours', store: store ?? '' })),
    close: async () => {
      off.abort();
      await virtualDevice.ended;
      await server.stop();
      await inactive.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * What Mender looks for outside of the directories it can be told of: the boot environment's tools and `mount`, by which it finds the
 * root file system that runs. D-Bus would be the machine's own.
 */
async function prepareForMender(device: DeviceDirectory): Promise<void> {
  for (const tool of ['fw_printenv', 'fw_setenv']) {
    await writeProgram(
      join(device.programs, tool),
      `exec /usr/bin/${tool} -c "$TANDEM_FW_ENV_CONFIG" "$@"\n`,
    );
  }
  await writeProgram(
    join(device.programs, 'mount'),
    `[ $# -gt 0 ] && exec /usr/bin/mount "$@"
read -r _ root _ < "$RUN/cmdline"
echo "$(realpath "$ROOT/\${root#root=}") on / type ext4 (rw,relatime)"
`,
  );
  const configuration = join(device.dataStore, 'mender.conf');
  const given: unknown = JSON.parse(await readFile(configuration, 'utf8'));
  await writeFile(configuration, JSON.stringify(Object.assign({ DBus: { Enabled: false } }, given)));
}

/**
 * Makes the partition a block device, since Mender writes to nothing else: a loop device over the file that stood for it, under the same
 * path. It is there while the handle is open, and so no longer than this process.
 */
async function makeBlockDevice(path: string): Promise<FileHandle> {
  if (process.getuid?.() !== 0)
    throw new Error('Mender 3.4 installs into block devices alone: this test needs root, for a loop device');
  await rename(path, `${path}.image`);
  const loop = (await runProgram('losetup', ['--find', '--show', `${path}.image`])).trim();
  const { rdev } = await stat(loop);
  const [major, minor] = [Math.floor(rdev / 256), rdev % 256];
  await runProgram('mknod', [path, 'b', String(major), String(minor)]);
  const handle = await open(path, 'r');
  await runProgram('losetup', ['--detach', loop]); // at the last close
  return handle;
}

/** Version 1 has Mender in it; it finds its configuration and scripts in a view of the file system of its own. */
const clientOfTheRunningSystem = (device: DeviceDirectory, directory: string): string => `
. "$ROOT/etc/os-release"
store="${device.dataStore}/mender-store"
sum=none
[ -e "$store" ] && sum=$(sha256sum < "$store" | cut -d ' ' -f 1)
if [ "$VERSION_ID" = 1 ]; then
  echo "mender $sum" >> "${directory}/boots"
  printf 'artifact_name=demo-1\\n' > "$ROOT/etc/mender/artifact_info"
  exec unshare ${process.getuid?.() === 0 ? '' : '--map-root-user'} --mount sh -c '
    mount --bind "$ROOT/etc/mender" /etc/mender &&
    mount --bind "$ROOT/usr/share/mender/identity" /usr/share/mender/identity &&
    mount --bind "$ROOT/usr/share/mender/inventory" /usr/share/mender/inventory &&
    exec setpriv --pdeathsig KILL ${debianProgram('mender').path} --data "${device.dataStore}" \
      --fallback-config "${device.dataStore}/mender.conf" --no-syslog daemon'
fi
echo "ours $sum" >> "${directory}/boots"
[ -e "${directory}/store-at-first-boot-of-ours" ] || cp "$store" "${directory}/store-at-first-boot-of-ours"
exec ${ownProgram('mender-update')} daemon
`;

async function writeProgram(path: string, script: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${script}`);
  await chmod(path, 0o755);
}
