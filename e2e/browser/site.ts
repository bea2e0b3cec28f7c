import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
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
  ownProgram,
  startServer,
  startVirtualDevice,
  type DeviceDirectory,
  type ServerPlace,
  type ServerProcess,
  type Version,
  type Workshop,
} from '@tandem/demo';
import { closeGate, makeGateScripts, type Gate, type GatedState } from '../demo/site.ts';

/** The one who signs in; the password is made for the test. */
export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** A real server with its build machine and a person's credentials. Devices come when they are asked for. */
export interface BrowserSite {
  readonly directory: string;
  readonly place: ServerPlace;
  server: ServerProcess;
  readonly workshop: Workshop;
  readonly credentials: Credentials;
  /** State scripts that hold a device at its gates; for `makeArtifact`. */
  readonly gateScripts: readonly string[];
  /** Makes a device that runs version 1 and switches it on: it asks to be let in. */
  connectDevice(name: string): Promise<SiteDevice>;
  close(): Promise<void>;
}

export interface SiteDevice {
  readonly directory: DeviceDirectory;
  /** What the interface calls it: its identity. */
  readonly name: string;
  closeGate(state: GatedState): Promise<Gate>;
}

export interface BrowserSiteOptions {
  /** Whether the server begins with a user, or with a one-time token on its console. Default true. */
  readonly hasUser?: boolean;
  /** Whose images are made, version 1 with them when devices are to be connected. Default none. */
  readonly versions?: readonly Version[];
}

export async function openSite({
  hasUser = true,
  versions = [],
}: BrowserSiteOptions = {}): Promise<BrowserSite> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-browser-'));
  const programs = findPrograms();
  const place = { dataDirectory: join(directory, 'server'), port: await freePort() };
  await mkdir(place.dataDirectory, { recursive: true });
  const credentials = { email: 'admin@example.com', password: randomBytes(12).toString('base64url') };
  if (hasUser) await createUser(place, credentials.email, credentials.password);
  const server = await startServer(place, async () => {
    const { name } = await site.connectDevice('virtual');
    return { name: 'virtual', identity: { mac: name } };
  });
  const workshop = await makeWorkshop(join(directory, 'workshop'), programs, server);
  for (const version of versions) await makeImage(workshop, version);
  if (versions.includes(1)) await makeBootstrapArtifact(workshop, 1);
  const off = new AbortController();
  const running: Promise<void>[] = [];
  const site: BrowserSite = {
    directory,
    place,
    server,
    workshop,
    credentials,
    gateScripts: await makeGateScripts(workshop.directory),
    connectDevice: async (name) => {
      const device = deviceDirectory(name, join(directory, name));
      await makeDevice(device, {
        image: imagePath(workshop, 1),
        bootstrapArtifact: bootstrapPath(workshop),
      });
      const gates = join(device.hardware, 'gates');
      await mkdir(gates);
      const { ended } = startVirtualDevice({
        device,
        programs,
        clientCommand: ownProgram('mender-update'),
        signal: off.signal,
      });
      running.push(ended);
      const mac = (await readFile(join(device.hardware, 'mac'), 'utf8')).trim();
      return { directory: device, name: mac, closeGate: (state) => closeGate(gates, state) };
    },
    close: async () => {
      off.abort();
      await Promise.allSettled(running);
      await site.server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return site;
}

/** What the server has printed so far. */
export const consoleOf = (site: BrowserSite): Promise<string> =>
  readFile(join(site.place.dataDirectory, 'console.log'), 'utf8');
