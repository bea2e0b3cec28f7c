import { createHash } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeExt4Image } from './ext4-image.ts';
import type { ProgramPaths } from './prerequisites.ts';

/** The software of the demo's devices: small, but a real root file system with a configuration, a health check and a client set-up. */

export const imageSizeBytes = 24 << 20;
export const deviceType = 'tandem-demo';

/** Versions of the software. What is wrong with a bad one is in its own files, and only there. */
export const versions = {
  1: { listenPort: '8080', boots: true },
  2: { listenPort: '8081', boots: true },
  3: { listenPort: '', boots: true }, // a forgotten setting: its health check will say so
  4: { listenPort: '8080', boots: false }, // no /sbin/init: the kernel panics
} as const satisfies Record<number, { readonly listenPort: string; readonly boots: boolean }>;

export type Version = keyof typeof versions;

/** Settings every version carries for its update client. */
export interface ClientSetup {
  readonly serverUrl: string;
  readonly serverCertificate: string;
  readonly artifactVerifyKey: string;
}

export const artifactNameOf = (version: Version): string => `demo-${String(version)}`;

/*
 * The scripts run where `$ROOT` is the active root file system: `/` on a device, the extracted tree on a virtual one.
 * `$HARDWARE` stands for what a real device would read from its network interface.
 */
const healthCheck = `#!/bin/sh
# Looks at the running software itself: every file as it was built, and a configuration it can work with.
cd "$ROOT" || exit 1
sha256sum --check --quiet usr/lib/files.sha256 || { echo "health check: files differ from what was built" >&2; exit 1; }
. ./etc/service.conf
[ -n "$LISTEN_PORT" ] || { echo "health check: LISTEN_PORT is not set in /etc/service.conf" >&2; exit 1; }
echo "healthy, listening on port $LISTEN_PORT"
`;

const deviceIdentity = `#!/bin/sh
echo "mac=$(cat "$HARDWARE/mac")"
`;

const inventory = `#!/bin/sh
. "$ROOT/etc/os-release"
echo "os=$PRETTY_NAME"
. "$ROOT/etc/service.conf"
echo "listen_port=$LISTEN_PORT"
`;

/** State script for the artifact: no commit unless the new software says it is well. */
export const commitScript = `#!/bin/sh
exec "$ROOT/usr/bin/health-check"
`;

function clientConfiguration(setup: ClientSetup): string {
  const configuration = {
    ServerURL: setup.serverUrl,
    ServerCertificate: 'etc/mender/server.crt',
    ArtifactVerifyKey: 'etc/mender/artifact-verify-key.pem',
    UpdatePollIntervalSeconds: 1,
    InventoryPollIntervalSeconds: 2,
    RetryPollIntervalSeconds: 1,
    RetryPollCount: 120, // a server that is away for two minutes costs no report
    StateScriptTimeoutSeconds: 30,
    BootEnvironment: 'u-boot',
  };
  return `${JSON.stringify(configuration, undefined, 2)}\n`;
}

interface TreeFile {
  readonly content: string | Uint8Array;
  readonly mode: number;
}

/** Some megabytes that do not compress and differ between versions, so that a download takes its time. */
function ballast(version: Version): Uint8Array {
  return createHash('shake256', { outputLength: 8 << 20 })
    .update(`version ${String(version)}`)
    .digest();
}

function filesOf(version: Version, setup: ClientSetup): Map<string, TreeFile> {
  const text = (content: string | Uint8Array): TreeFile => ({ content, mode: 0o644 });
  const program = (content: string): TreeFile => ({ content, mode: 0o755 });
  const files = new Map<string, TreeFile>([
    [
      'etc/os-release',
      text(`ID=tandem-demo\nVERSION_ID=${String(version)}\nPRETTY_NAME="Tandem demo ${String(version)}"\n`),
    ],
    ['etc/service.conf', text(`LISTEN_PORT=${versions[version].listenPort}\n`)],
    ['etc/mender/mender.conf', text(clientConfiguration(setup))],
    ['etc/mender/server.crt', text(setup.serverCertificate)],
    ['etc/mender/artifact-verify-key.pem', text(setup.artifactVerifyKey)],
    ['etc/mender/scripts/version', text('3')],
    ['usr/bin/health-check', program(healthCheck)],
    ['usr/share/mender/identity/mender-device-identity', program(deviceIdentity)],
    ['usr/share/mender/inventory/mender-inventory-software', program(inventory)],
    ['usr/lib/ballast', text(ballast(version))],
  ]);
  if (versions[version].boots) files.set('sbin/init', program('#!/bin/sh\nexec mender-update daemon\n'));
  const sums = [...files].map(
    ([path, { content }]) => `${createHash('sha256').update(content).digest('hex')}  ${path}\n`,
  );
  files.set('usr/lib/files.sha256', text(sums.join('')));
  return files;
}

/** Makes the ext4 image of a version in `imagePath`. */
export async function makeRootFileSystem(
  programs: ProgramPaths,
  version: Version,
  setup: ClientSetup,
  imagePath: string,
): Promise<void> {
  const tree = `${imagePath}.tree`;
  await rm(tree, { recursive: true, force: true });
  for (const [path, { content, mode }] of filesOf(version, setup)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), content);
    await chmod(join(tree, path), mode);
  }
  await makeExt4Image(programs, tree, imagePath, imageSizeBytes);
  await rm(tree, { recursive: true, force: true });
}
