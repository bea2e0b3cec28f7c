import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceTable } from './device-table.ts';
import type { DeviceDirectory } from './device-directory.ts';
import { openShelf, type DeviceShelf } from './device-shelf.ts';
import { readDeviceState } from './device-state.ts';
import { shortfalls, type Ending } from './expectations.ts';
import { openFleet, type DeploymentProgress, type Fleet } from './fleet.ts';
import { freePort } from './ports.ts';
import type { ProgramPaths } from './prerequisites.ts';
import {
  artifactPath,
  makeArtifact,
  makeBootstrapArtifact,
  makeImage,
  makeWorkshop,
} from './release-files.ts';
import { artifactNameOf, type Version } from './root-file-system.ts';
import { createUser, startServer } from './server-process.ts';
import type { DeviceEvent } from './virtual-device.ts';

export interface DemoOptions {
  /** An empty place for everything the demo makes. */
  readonly directory: string;
  readonly programs: ProgramPaths;
  /** Keep server and devices running when all is shown, until `signal`. */
  readonly stay: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const deviceCount = 3;
const group = 'demo';
const email = 'admin@example.com';
const deploymentTimeoutMs = 120_000;

/** The whole story. Returns whether every device ended where `expectations` says. */
export async function runDemo({ directory, programs, stay, say, signal }: DemoOptions): Promise<boolean> {
  const started = performance.now();
  const step = (line: string): void => {
    say(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  };

  const place = { dataDirectory: join(directory, 'server'), port: await freePort() };
  await mkdir(place.dataDirectory, { recursive: true });
  const password = randomBytes(12).toString('base64url');
  await createUser(place, email, password);
  const off = new AbortController();
  const switchOff = AbortSignal.any([signal, off.signal]);
  let shelf: DeviceShelf | undefined;
  let isShown = false;
  const server = await startServer(place, async () => {
    if (shelf === undefined || !isShown) throw new Error('the demo is still busy with its own devices');
    return shelf.addVirtualDevice();
  });
  try {
    step(`server ready at ${server.url}`);

    const workshop = await makeWorkshop(join(directory, 'workshop'), programs, server);
    for (const version of [1, 2, 3] as const) await makeImage(workshop, version);
    for (const version of [2, 3] as const) await makeArtifact(workshop, version);
    await makeBootstrapArtifact(workshop, 1);
    step('root file systems 1, 2 and 3 made; artifacts demo-2 and demo-3 packed and signed');

    shelf = openShelf({
      directory,
      programs,
      workshop,
      onEvent: ({ name }, event) => {
        step(`${name}  ${tell(event)}`);
      },
      signal: switchOff,
    });
    const devices: DeviceDirectory[] = [];
    while (devices.length < deviceCount) devices.push(await shelf.switchOn());

    const fleet = await openFleet({ ...server, email, password, devices, signal: switchOff });
    await fleet.acceptDevices();
    step(`${String(devices.length)} devices asked to be let in, and were accepted`);
    await fleet.waitForInventory();
    await fleet.putInGroup(group);
    step(`all reported their inventory; they are now group "${group}"`);

    const deployments: DeploymentProgress[] = [];
    for (const version of [2, 3] as const) {
      await fleet.upload(artifactPath(workshop, version));
      step(`${artifactNameOf(version)} uploaded, deploying to group "${group}"`);
      deployments.push(await deploy(fleet, version, step));
    }

    const endings: Ending[] = [];
    for (const device of devices) {
      const state = await readDeviceState(device, programs);
      endings.push({ state, reportedArtifact: await fleet.reportedArtifact(device.name) });
    }
    const faults = shortfalls(endings, deployments, devices.length);
    say(`\n${deviceTable(endings, deployments)}\n`);
    for (const fault of faults) say(`NOT AS EXPECTED: ${fault}`);
    if (faults.length === 0)
      say('Every device took version 2, refused version 3 by itself, and runs version 2 again.');
    if (stay) {
      isShown = true;
      say(`\nlook      ${server.url}/ui/   (certificate: ${join(place.dataDirectory, 'tls', 'ca.pem')})`);
      say(`login     ${email}   password ${password}`);
      say(`devices   ${directory}/device-*, each with its console.log\n\nCtrl-C ends it.`);
      await aborted(signal);
    }
    return faults.length === 0;
  } finally {
    off.abort();
    await shelf?.ended();
    await server.stop();
  }
}

/** Deploys to the group and tells each change of a device's status until all have ended. */
async function deploy(
  fleet: Fleet,
  version: Version,
  step: (line: string) => void,
): Promise<DeploymentProgress> {
  const told = new Map<string, string>();
  return fleet.deployToGroup(`${artifactNameOf(version)} to everyone`, artifactNameOf(version), group, {
    timeoutMs: deploymentTimeoutMs,
    onProgress: (progress) => {
      for (const { deviceName, status } of progress.devices) {
        if (told.get(deviceName) !== status) step(`${deviceName}  reports ${status}`);
        told.set(deviceName, status);
      }
    },
  });
}

function tell(event: DeviceEvent): string {
  switch (event.kind) {
    case 'booted': {
      const how = { normal: '', trial: ', on trial', rolledBack: ', the old one: the trial failed' }[
        event.decision.reason
      ];
      return `boots partition ${String(event.decision.partition)}: version ${event.version}${how}`;
    }
    case 'panicked':
      return `partition ${String(event.decision.partition)} does not start: ${event.reason}`;
    case 'rebooting':
      return 'reboots';
    case 'clientEnded':
      return `its update client ended (${event.how})`;
    default:
      return event satisfies never;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
  });
}
