import { parseVerificationKey } from '@tandem/artifact';
import { usualGrubDirectories } from '@tandem/boot-environment';
import { ClientError } from '../client-error.ts';
import type { Configuration } from '../configuration/configuration-keys.ts';
import { readDeviceType } from '../configuration/device-type.ts';
import type { InstallationPaths } from '../configuration/installation-paths.ts';
import type { DeploymentNeeds } from '../deployment/deployment-needs.ts';
import { openDeviceKey, type KeySource } from '../identity/device-key.ts';
import { readIdentityData } from '../identity/identity-data.ts';
import { bootEnvironmentOf } from '../rootfs/bootloader-environment.ts';
import { rawPartition } from '../rootfs/raw-partition.ts';
import { rootfsImage } from '../rootfs/rootfs-image.ts';
import { authenticate } from '../server-connection/authenticate.ts';
import { connectToServer } from '../server-connection/connect-to-server.ts';
import { timeIsSynchronised } from '../server-connection/clock-fault.ts';
import { httpLimits, sendHttp, type SendHttp } from '../server-connection/http-exchange.ts';
import { openRequest, type OpenRequest } from '../server-connection/open-request.ts';
import { keepSession, type KeptSession, type SessionSource } from '../server-connection/session-source.ts';
import { proxiesOf } from '../server-connection/proxy-choice.ts';
import { loadTrust } from '../server-connection/tls-trust.ts';
import type { System } from '../system/system.ts';
import { availableDecompressors } from './available-decompressors.ts';

/** What every part of the client is made of, once the command line has been read. */
export interface ClientGround {
  readonly system: System;
  readonly paths: InstallationPaths;
  readonly configuration: Configuration;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly passphrase?: string | undefined;
}

/** What the deployment engine needs of this device. */
export async function deploymentNeeds(ground: ClientGround): Promise<DeploymentNeeds> {
  const { system, paths, configuration } = ground;
  const { files } = system;
  const deviceTypeFile = configuration.DeviceTypeFile || `${paths.datastore}/device_type`;
  const seconds = 1000;
  const bootEnvironment = bootEnvironmentOf(system, {
    kind: configuration.BootEnvironment,
    places: {
      fwEnvConfig: paths.fwEnvConfig,
      grubEnvConfig: paths.grubEnvConfig,
      grubDirectories: usualGrubDirectories,
      grubLock: paths.grubLock,
    },
    searchPath: ground.environment['PATH'] ?? '',
  });
  return {
    system,
    paths: {
      datastore: paths.datastore,
      artifactInfo: paths.artifactInfo,
      rootfsScripts: paths.rootfsScripts,
      modules: paths.updateModules,
      deploymentLogs: configuration.UpdateLogPath || paths.datastore,
    },
    deviceType: () => readDeviceType(files, deviceTypeFile),
    verificationKeys: await verificationKeys(ground),
    decompressors: await availableDecompressors(files, ground.environment['PATH'] ?? ''),
    builtInInstallers: {
      'rootfs-image': ({ path, log }) =>
        rootfsImage({
          system: { ...system, log },
          rootfsPartA: configuration.RootfsPartA,
          rootfsPartB: configuration.RootfsPartB,
          kernelCommandLine: paths.kernelCommandLine,
          bootEnvironment,
          workDirectory: path,
          stepTimeoutMs: configuration.ModuleTimeoutSeconds * seconds,
          verifyWrites: configuration.VerifyWrites,
        }),
      'raw-partition': ({ path, log }) =>
        rawPartition({
          system: { ...system, log },
          pairsFile: paths.rawPartitions,
          rootfsPartA: configuration.RootfsPartA,
          rootfsPartB: configuration.RootfsPartB,
          kernelCommandLine: paths.kernelCommandLine,
          bootEnvironment,
          workDirectory: path,
          verifyWrites: configuration.VerifyWrites,
        }),
    },
    limits: {
      stateScriptTimeoutMs: configuration.StateScriptTimeoutSeconds * seconds,
      stateScriptRetryIntervalMs: configuration.StateScriptRetryIntervalSeconds * seconds,
      stateScriptRetryTimeoutMs: configuration.StateScriptRetryTimeoutSeconds * seconds,
      moduleTimeoutMs: configuration.ModuleTimeoutSeconds * seconds,
      payloadBytesPerSecond:
        configuration.PayloadKiBPerSecond === 0 ? undefined : configuration.PayloadKiBPerSecond * 1024,
    },
  };
}

/** The configured servers, the head of the list first. */
export function serversOf(configuration: Configuration): readonly string[] {
  return configuration.ServerURL === '' ? configuration.Servers : [configuration.ServerURL];
}

/** The two ways to talk to servers, with the trust of the configuration. */
export interface Network {
  readonly send: SendHttp;
  readonly open: OpenRequest;
}

export async function networkOf(ground: ClientGround): Promise<Network> {
  const { system, configuration, environment, version } = ground;
  const fileTrust = await loadTrust(
    system.files,
    {
      serverCertificate: configuration.ServerCertificate,
      skipVerify: configuration.SkipVerify,
      clientCertificate: configuration['HttpsClient.Certificate'],
      clientKey: configuration['HttpsClient.Key'],
    },
    system.log,
  );
  const trust = { ...fileTrust, proxyFor: proxiesOf(environment) };
  const clockState = async () => ({
    now: system.clock.now(),
    synchronised: await timeIsSynchronised(system.files),
  });
  return { send: sendHttp(trust, `Mender/${version}`, httpLimits, clockState), open: openRequest(trust) };
}

export async function httpOf(ground: ClientGround): Promise<SendHttp> {
  return (await networkOf(ground)).send;
}

/** How broken downloads are taken up again. */
export function downloadPatience({ configuration }: ClientGround) {
  return {
    attempts: configuration.RetryDownloadCount,
    longestWaitMs: configuration.RetryPollIntervalSeconds * 1000,
  };
}

export function serverConnectionOf(
  ground: ClientGround,
  { send }: Network,
  sessions: SessionSource,
): ReturnType<typeof connectToServer> {
  const { clock, log } = ground.system;
  return connectToServer({ send, clock, log, sessions, download: downloadPatience(ground) });
}

/** Sessions by authenticating with the configured servers; the identity is asked for each time, since it takes a program. */
export function ownSessions(ground: ClientGround, send: SendHttp): KeptSession {
  const { system, paths, configuration } = ground;
  const { clock, log } = system;
  return keepSession(async (signal) => {
    const credentials = {
      key: await openDeviceKey(system, keySourceOf(ground), signal),
      identityData: await readIdentityData(system.processes, paths.identityScript, signal),
      tenantToken: configuration.TenantToken,
      tier: configuration.DeviceTier,
    };
    return await authenticate({ send, log, clock }, serversOf(configuration), credentials, signal);
  });
}

/** Which key this device signs with, and where it is. */
export function keySourceOf({ paths, configuration, passphrase }: ClientGround): KeySource {
  const signCommand = configuration['Security.SignCommand'];
  if (signCommand !== '') {
    const file = configuration['Security.PublicKey'];
    const command = configuration['Security.PublicKeyCommand'];
    return { kind: 'command', signCommand, publicKey: file === '' ? { command } : { file } };
  }
  const elsewhere = configuration['Security.AuthPrivateKey'];
  const engine = configuration['Security.SSLEngine'];
  if (engine !== '' || elsewhere.startsWith('pkcs11:')) {
    return { kind: 'openssl', key: elsewhere, engine, workDirectory: paths.datastore };
  }
  if (elsewhere !== '') return { kind: 'file', path: elsewhere, madeElsewhere: true, passphrase };
  const tlsKey = configuration['HttpsClient.Key'] || undefined;
  return { kind: 'file', path: paths.deviceKey, madeElsewhere: false, passphrase, tlsKey };
}

async function verificationKeys({
  system,
  configuration,
}: ClientGround): Promise<DeploymentNeeds['verificationKeys']> {
  const { ArtifactVerifyKey, ArtifactVerifyKeys } = configuration;
  const paths = ArtifactVerifyKey === '' ? ArtifactVerifyKeys : [ArtifactVerifyKey];
  return await Promise.all(
    paths.map(async (path) => {
      try {
        const pem = await system.files.read(path, 64 * 1024);
        if (pem === undefined) throw new Error('there is no such file');
        return parseVerificationKey(Buffer.from(pem).toString());
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new ClientError('badConfiguration', `Cannot use the verification key ${path}: ${reason}.`, {
          cause: error,
        });
      }
    }),
  );
}
