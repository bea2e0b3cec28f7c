import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
  startServer,
  startVirtualDevice,
  type DeviceDirectory,
  type DeviceEvent,
  type Fleet,
  type ProgramPaths,
  type ServerPlace,
  type ServerProcess,
  type Version,
  type VirtualDevice,
  type Workshop,
} from '@tandem/demo';

/** States at which a test can hold a device still: each has a state script in the artifact that waits for its gate. */
export const gatedStates = [
  'ArtifactInstall_Enter',
  'ArtifactInstall_Leave',
  'ArtifactReboot_Enter',
  'ArtifactReboot_Leave',
  'ArtifactCommit_Enter',
  'ArtifactCommit_Leave',
  'ArtifactRollback_Enter',
  'ArtifactRollbackReboot_Enter',
  'ArtifactFailure_Enter',
] as const;
export type GatedState = (typeof gatedStates)[number];

/** A closed gate: waits until the device stands before it, and opens it. */
export interface Gate {
  reached(): Promise<void>;
  open(): Promise<void>;
}

/** A server, a build machine and one device that runs version 1, is accepted, and is alone in the group "all". */
export interface Site {
  readonly directory: string;
  readonly programs: ProgramPaths;
  readonly place: ServerPlace;
  server: ServerProcess;
  readonly workshop: Workshop;
  readonly fleet: Fleet;
  readonly device: DeviceDirectory;
  readonly virtualDevice: VirtualDevice;
  readonly events: readonly DeviceEvent[];
  /** State scripts by path that hold at the gates. */
  readonly gateScripts: readonly string[];
  closeGate(state: GatedState): Promise<Gate>;
  close(): Promise<void>;
}

export interface SiteOptions {
  readonly versions: readonly Version[];
  readonly beforeBoot?: (device: DeviceDirectory, partition: number) => Promise<void>;
  /** Stands between devices and server; gets the port devices use and the server's own. */
  readonly between?: (publicPort: number, serverPort: number) => Promise<unknown>;
}

export const group = 'all';

export async function openSite(options: SiteOptions): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-e2e-'));
  const programs = findPrograms();
  const port = await freePort();
  const publicPort = options.between === undefined ? port : await freePort();
  await options.between?.(publicPort, port);
  const place: ServerPlace = { dataDirectory: join(directory, 'server'), port, publicPort };
  await mkdir(place.dataDirectory, { recursive: true });
  const password = randomBytes(12).toString('base64url');
  await createUser(place, 'admin@example.com', password);
  const server = await startServer(place);
  const workshop = await makeWorkshop(join(directory, 'workshop'), programs, server);
  for (const version of new Set<Version>([1, ...options.versions])) await makeImage(workshop, version);
  await makeBootstrapArtifact(workshop, 1);

  const device = deviceDirectory('device', join(directory, 'device'));
  await makeDevice(device, { image: imagePath(workshop, 1), bootstrapArtifact: bootstrapPath(workshop) });
  const gates = join(device.hardware, 'gates');
  await mkdir(gates);
  const off = new AbortController();
  const events: DeviceEvent[] = [];
  const virtualDevice = startVirtualDevice({
    device,
    programs,
    clientCommand: ownProgram('mender-update'),
    onEvent: (event) => events.push(event),
    beforeBoot: async (partition) => options.beforeBoot?.(device, partition),
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
  const site: Site = {
    directory,
    programs,
    place,
    server,
    workshop,
    fleet,
    device,
    virtualDevice,
    events,
    gateScripts: await makeGateScripts(join(directory, 'workshop')),
    closeGate: (state) => closeGate(gates, state),
    close: async () => {
      off.abort();
      await virtualDevice.ended;
      await site.server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return site;
}

/** Scripts that hold a device at each gated state while a file stands in its hardware's `gates`. */
export async function makeGateScripts(directory: string): Promise<string[]> {
  const scripts: string[] = [];
  for (const state of gatedStates) {
    const path = join(directory, `${state}_50_gate`);
    await writeFile(
      path,
      `#!/bin/sh\necho ${state} >> "$HARDWARE/gates/passed"\n` +
        `while [ -e "$HARDWARE/gates/${state}" ]; do : > "$HARDWARE/gates/${state}.reached"; sleep 0.05; done\n`,
    );
    await chmod(path, 0o755);
    scripts.push(path);
  }
  return scripts;
}

/** Closes a gate of the device whose gates lie in `gates`. */
export async function closeGate(gates: string, state: GatedState): Promise<Gate> {
  const gate = join(gates, state);
  await writeFile(gate, '');
  return {
    reached: () =>
      eventually(
        `the device reaches ${state}`,
        async () => (await readFile(`${gate}.reached`).catch(() => undefined)) !== undefined,
      ),
    open: async () => {
      await rm(gate, { force: true });
      await rm(`${gate}.reached`, { force: true });
    },
  };
}

/** Waits until `holds`; throws with `what` when it does not within the time. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${String(timeoutMs / 1000)} s in vain: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 25);
    });
  }
}
