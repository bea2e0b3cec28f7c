import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownProgram } from './programs.ts';
import type { ProgramPaths } from './prerequisites.ts';
import {
  artifactNameOf,
  commitScript,
  deviceType,
  makeRootFileSystem,
  type ClientSetup,
  type Version,
} from './root-file-system.ts';
import { runProgram } from './run-program.ts';

/** What a build machine has: a signing key, and for each version an image and the signed artifact made of it. */
export interface Workshop {
  readonly directory: string;
  readonly programs: ProgramPaths;
  readonly setup: ClientSetup;
  readonly signingKey: string;
}

/** Makes a signing key (ECDSA P-256) in `directory`; `setup` is what every image tells its client. */
export async function makeWorkshop(
  directory: string,
  programs: ProgramPaths,
  server: { readonly url: string; readonly certificate: string },
): Promise<Workshop> {
  await mkdir(directory, { recursive: true });
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const signingKey = join(directory, 'signing.pem');
  await writeFile(signingKey, pair.privateKey, { mode: 0o600 });
  const script = join(directory, 'ArtifactCommit_Enter_10_health-check');
  await writeFile(script, commitScript);
  await chmod(script, 0o755);
  const setup = {
    serverUrl: server.url,
    serverCertificate: server.certificate,
    artifactVerifyKey: pair.publicKey,
  };
  return { directory, programs, setup, signingKey };
}

export const imagePath = (workshop: Workshop, version: Version): string =>
  join(workshop.directory, `rootfs-${String(version)}.ext4`);

export const artifactPath = (workshop: Workshop, version: Version): string =>
  join(workshop.directory, `${artifactNameOf(version)}.mender`);

export const bootstrapPath = (workshop: Workshop): string => join(workshop.directory, 'bootstrap.mender');

export async function makeImage(workshop: Workshop, version: Version): Promise<void> {
  await makeRootFileSystem(workshop.programs, version, workshop.setup, imagePath(workshop, version));
}

/** How an artifact differs from the one the demo deploys: for showing what is refused, and for watching states go by. */
export interface ArtifactVariation {
  readonly output?: string;
  readonly name?: string;
  readonly deviceType?: string;
  /** `false` leaves it unsigned. */
  readonly signingKey?: string | false;
  /** State scripts beside the health check, by path. */
  readonly scripts?: readonly string[];
}

/** How an artifact differs from the one the demo deploys: for showing what is refused, and for watching states go by. */
export interface ArtifactVariation {
  readonly output?: string;
  readonly name?: string;
  readonly deviceType?: string;
  /** `false` leaves it unsigned. */
  readonly signingKey?: string | false;
  /** State scripts beside the health check, by path. */
  readonly scripts?: readonly string[];
}

/** Packs and signs the version's image. */
export async function makeArtifact(
  workshop: Workshop,
  version: Version,
  variation: ArtifactVariation = {},
): Promise<string> {
  const output = variation.output ?? artifactPath(workshop, version);
  const key = variation.signingKey ?? workshop.signingKey;
  const scripts = [
    join(workshop.directory, 'ArtifactCommit_Enter_10_health-check'),
    ...(variation.scripts ?? []),
  ];
  const command = [
    ['write', 'rootfs-image', '--no-progress'],
    ['--file', imagePath(workshop, version)],
    ['--compatible-types', variation.deviceType ?? deviceType],
    ['--artifact-name', variation.name ?? artifactNameOf(version)],
    ...scripts.map((script) => ['--script', script]),
    key === false ? [] : ['--key', key],
    ['--output-path', output],
  ];
  await runProgram(ownProgram('mender-artifact'), command.flat());
  return output;
}

/** Makes the artifact that tells a device from the factory what it runs. */
export async function makeBootstrapArtifact(workshop: Workshop, version: Version): Promise<void> {
  const command = [
    ['write', 'bootstrap-artifact'],
    ['--compatible-types', deviceType],
    ['--artifact-name', artifactNameOf(version)],
    ['--provides', `rootfs-image.version:${artifactNameOf(version)}`],
    ['--key', workshop.signingKey],
    ['--output-path', bootstrapPath(workshop)],
  ];
  await runProgram(ownProgram('mender-artifact'), command.flat());
}
