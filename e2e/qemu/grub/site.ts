import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildBundle } from '@tandem/client/build-bundle';
import {
  createUser,
  deviceDirectory,
  freePort,
  openFleet,
  runProgram,
  startServer,
  type Fleet,
  type ServerPlace,
  type ServerProcess,
} from '@tandem/demo';
import { buildClientDebianPackage } from '../../../packaging/client.ts';
import { buildNodeDebianPackage } from '../../../packaging/node-package.ts';
import { nodeRuntime, type NodeRuntime } from '../../../packaging/node-runtime.ts';
import { usualMacAddress } from '../machine/machine-kinds.ts';
import { makeDebianRoot, type DebianKind } from './debian-root.ts';
import { serverName, writeGuestOverlay } from './guest-overlay.ts';
import type { ReleaseMaker } from './releases.ts';

/** A server on this host, and the image of a device that knows it, made as a user would make it. */
export interface Site {
  readonly directory: string;
  readonly place: ServerPlace;
  readonly server: ServerProcess;
  /** The operator's side; the one device is the machine with QEMU's usual address. */
  readonly fleet: Fleet;
  /** The disk of a device from the factory; every machine runs on an overlay of it. */
  readonly disk: string;
  readonly maker: ReleaseMaker;
  readonly password: string;
  readonly close: () => Promise<void>;
}

export interface SiteOptions {
  /** Empty, and removed by whoever made it. */
  readonly directory: string;
  /** Where what Debian brings is kept for the next time. */
  readonly cache: string;
  readonly say: (line: string) => void;
}

/** A kind of device: its board, and what its image is made from. */
export interface Guest {
  /** A board file of tandem-image, and the device type in it. */
  readonly board: string;
  readonly deviceType: string;
  readonly node: (cache: string) => Promise<NodeRuntime>;
  /** Options of `tandem-image build` for the root file system with the client's packages, which is made in `cache` or `directory`. */
  readonly rootOptions: (places: RootPlaces) => Promise<readonly string[]>;
}

interface RootPlaces {
  readonly cache: string;
  readonly directory: string;
  readonly packages: readonly string[];
}

export const administrator = 'admin@example.com';
export const deviceName = 'guest';

const project = join(import.meta.dirname, '..', '..', '..');
const imageName = 'guest-1';
/** An emulated device on a busy machine takes its time. */
const deviceTimeoutMs = 600_000;
const imageTimeoutMs = 900_000;

interface DebianOptions extends SiteOptions {
  readonly debian: DebianKind;
  /** Further `--set` of the image builder, as `key=value`. */
  readonly settings?: readonly string[];
}

/** A PC, which GRUB starts, with Debian. */
export const openSite = ({ debian, settings = [], ...options }: DebianOptions) =>
  openSiteFor(debianGuest(debian, settings), options);

export async function openSiteFor(guest: Guest, { directory, cache, say }: SiteOptions): Promise<Site> {
  const began = performance.now();
  const tell = (line: string): void =>
    say(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}`);
  const place = { dataDirectory: join(directory, 'server'), port: await freePort(), publicHost: serverName };
  await mkdir(place.dataDirectory, { recursive: true });
  const password = randomBytes(12).toString('base64url');
  await createUser(place, administrator, password);
  const server = await startServer(place);
  try {
    tell(`the server answers at ${server.url}`);
    const packages = await clientPackages(join(directory, 'packages'), await guest.node(cache));
    const rootOptions = await guest.rootOptions({ directory, cache, packages });
    tell('Debian and the packages of the client are there');
    const maker = await makeImage({ directory, guest, rootOptions, server });
    tell('the image is made');
    const off = new AbortController();
    const device = deviceDirectory(deviceName, join(directory, deviceName));
    await mkdir(device.hardware, { recursive: true });
    await writeFile(join(device.hardware, 'mac'), usualMacAddress);
    const fleet = await openFleet({
      url: `https://localhost:${String(place.port)}`,
      certificate: server.certificate,
      email: administrator,
      password,
      devices: [device],
      signal: off.signal,
      waitTimeoutMs: deviceTimeoutMs,
    });
    const close = async (): Promise<void> => {
      off.abort();
      await server.stop();
    };
    const disk = join(directory, `${imageName}-${guest.deviceType}.img`);
    return { directory, place, server, fleet, disk, maker, password, close };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The packages a device's owner would install, made here. */
export async function clientPackages(directory: string, node: NodeRuntime): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const bundle = join(directory, 'tandem-update.mjs');
  await buildBundle(bundle);
  const modified = 1_700_000_000;
  const options = { directory, compression: 'none' } as const;
  return [
    await buildNodeDebianPackage(node, { ...options, modified }),
    await buildClientDebianPackage({ version: '1.0.0', modified, bundle }, options),
  ];
}

const leanOptions = [
  // Names of devices that need no udev.
  ['--set', 'storageDevice=/dev/nvme0n1p', '--set', 'persist.machineId=false'],
  ['--hook', `afterPackages=${join(import.meta.dirname, 'make-lean')}`],
  ['--set', 'data.sizeMiB=256', '--set', 'rootfs.overheadPercent=5'],
].flat();

/** Signed programs start where nobody asks for signatures as well. */
const fullOptions = ['--set', 'data.grow=true', '--set', 'bootloaderSettings={"secureBoot":true}'];

const debianGuest = (kind: DebianKind, settings: readonly string[]): Guest => ({
  board: join(import.meta.dirname, 'board.json'),
  deviceType: 'qemux86-64',
  node: () => Promise.resolve(nodeRuntime(project)),
  rootOptions: async ({ cache, directory, packages }) => {
    const root = await makeDebianRoot(kind, cache);
    const overlay = join(directory, 'overlay');
    await writeGuestOverlay(kind, overlay);
    return [
      ['--root', root, '--overlay', overlay],
      kind === 'lean' ? leanOptions : fullOptions,
      ...settings.map((setting) => ['--set', setting]),
      ...packages.map((file) => ['--package', file]),
    ].flat();
  },
});

interface ImageParts {
  readonly directory: string;
  readonly guest: Guest;
  readonly rootOptions: readonly string[];
  readonly server: ServerProcess;
}

async function makeImage({ directory, guest, rootOptions, server }: ImageParts): Promise<ReleaseMaker> {
  const path = (name: string) => join(directory, name);
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const configuration = {
    UpdatePollIntervalSeconds: 2,
    InventoryPollIntervalSeconds: 5,
    RetryPollIntervalSeconds: 2,
    RetryPollCount: 100,
    StateScriptTimeoutSeconds: 60,
  };
  await writeFile(path('signing.pem'), pair.privateKey, { mode: 0o600 });
  await writeFile(path('verify.pem'), pair.publicKey);
  await writeFile(path('server.pem'), server.certificate);
  await writeFile(path('client.json'), JSON.stringify(configuration));
  const command = [
    ['build', '--board', guest.board, '--artifact-name', imageName, ...rootOptions],
    ['--output-directory', directory, '--root-image'],
    ['--server-url', server.url, '--server-certificate', path('server.pem')],
    ['--verify-key', path('verify.pem'), '--key', path('signing.pem')],
    ['--client-configuration', path('client.json'), '--compression', 'none'],
  ];
  await runProgram(join(project, 'node_modules/.bin/tandem-image'), command.flat(), {
    timeoutMs: imageTimeoutMs,
  });
  return {
    directory,
    deviceType: guest.deviceType,
    rootImage: path(`${imageName}-${guest.deviceType}.ext4`),
    signingKey: path('signing.pem'),
  };
}
