import { setTimeout as wait } from 'node:timers/promises';
import {
  ApiError,
  authenticateDevice,
  createApiClient,
  postNextDeploymentV2,
  putDeviceDeploymentLog,
  putDeviceDeploymentStatus,
  replaceDeviceAttributes,
  type CallOptions,
  type ClientReply,
  type DeploymentInstructions,
  type Endpoint,
} from '@tandem/api';
import type { Chances } from './chances.ts';
import type { DeviceIdentity } from './device-identity.ts';
import { download } from './download.ts';
import type { DeviceKind } from './fleet-profile.ts';
import type { Tally } from './tally.ts';

export interface SimulatedDevice {
  readonly number: number;
  readonly kind: DeviceKind;
  readonly identity: DeviceIdentity;
  readonly chances: Chances;
}

export interface DeviceWorld {
  readonly serverUrl: string;
  readonly fetch: typeof fetch;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

type Refused = { readonly refused: number | 'unreachable' };
type Status = 'downloading' | 'installing' | 'rebooting' | 'success' | 'failure';

/** Chances of the steps of an update, in their order; the first that happens is where it fails. */
const failures = [
  ['installFails', 'installing the artifact failed'],
  ['rebootFails', 'the device came back on its old root file system'],
  ['commitFails', 'the new system could not be committed'],
] as const satisfies readonly (readonly [keyof DeviceKind, string])[];

/** One device, from power on until the signal: asks to be let in, tells what it is, polls, and installs what it is given. */
export async function runDevice(device: SimulatedDevice, world: DeviceWorld): Promise<void> {
  const { number, kind, identity, chances } = device;
  const { tally, signal } = world;
  let token: string | undefined;
  let artifactName = kind.artifactName;
  let inventoryDue = 0;

  const client = createApiClient({ baseUrl: world.serverUrl, token: () => token, fetch: world.fetch });
  const pause = (seconds: number) => wait(seconds * 1000, undefined, { signal });
  const call = async <E extends Endpoint>(
    endpoint: E,
    options: CallOptions<E>,
  ): Promise<ClientReply<E> | Refused> => {
    const asked = performance.now();
    const note = (status: number | 'unreachable') =>
      tally.request(endpoint.id, status, performance.now() - asked);
    try {
      const answer = await client(endpoint, { ...options, signal });
      note(answer.status);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ApiError)) throw error;
      const refused = error.status ?? 'unreachable';
      note(refused);
      // Rejected, or its token has ended: it asks for another.
      if (refused === 401) token = undefined;
      return { refused };
    }
  };

  const letIn = async (): Promise<void> => {
    const body = Buffer.from(JSON.stringify({ id_data: identity.idData, pubkey: identity.publicKeyPem }));
    const headers = { 'content-type': 'application/json', 'x-men-signature': identity.sign(body) };
    while (token === undefined) {
      const answer = await call(authenticateDevice, { body, headers });
      if ('refused' in answer) {
        await pause(kind.retrySeconds);
        continue;
      }
      token = answer.body;
      tally.event('let in');
    }
  };

  const tellInventory = async (): Promise<void> => {
    const own = { device_type: kind.deviceType, artifact_name: artifactName, ...kind.inventory };
    const body = Object.entries(own).map(([name, value]) => ({
      name,
      value: typeof value === 'string' ? value.replaceAll('{n}', String(number)) : value,
    }));
    const answer = await call(replaceDeviceAttributes, { body });
    if (!('refused' in answer)) inventoryDue = performance.now() + kind.inventorySeconds * 1000;
  };

  /** False when the server wants no more of this update: it was aborted, or is not ours any more. */
  const report = async (id: string, status: Status): Promise<boolean> => {
    for (;;) {
      const answer = await call(putDeviceDeploymentStatus, { params: { id }, body: { status } });
      if (!('refused' in answer)) return true;
      if (answer.refused === 409 || answer.refused === 404) return false;
      // As long as the server cannot be reached, the device keeps what it has to tell.
      await pause(kind.retrySeconds);
      await letIn();
    }
  };

  const fail = async (id: string, why: string): Promise<void> => {
    if (!(await report(id, 'failure'))) return;
    tally.event('failed');
    const messages = [{ timestamp: new Date().toISOString(), level: 'error', message: `simulated: ${why}` }];
    await call(putDeviceDeploymentLog, { params: { id }, body: { messages } });
  };

  const install = async ({ id, artifact }: DeploymentInstructions): Promise<void> => {
    tally.event('updates begun');
    const failure = failures.find(([chance]) => chances.happens(kind[chance]));
    const cutAfter = chances.happens(kind.downloadIsCut)
      ? 1 + Math.floor(chances.draw() * 65_536)
      : undefined;
    if (!(await report(id, 'downloading'))) return tally.event('aborted');
    const came = await download(
      artifact.source.uri,
      { bytesPerSecond: kind.bytesPerSecond, cutAfter },
      {
        fetch: world.fetch,
        signal,
        answered: (status, milliseconds) => {
          tally.request('download', status, milliseconds);
          if (status === 206) tally.event('cut');
        },
        received: tally.downloaded,
      },
    );
    if ('refused' in came) return fail(id, `the download was refused with ${came.refused}`);
    if (!(await report(id, 'installing'))) return tally.event('aborted');
    await pause(chances.between(kind.installSeconds));
    if (failure?.[0] === 'installFails') return fail(id, failure[1]);
    if (!(await report(id, 'rebooting'))) return tally.event('aborted');
    await pause(chances.between(kind.rebootSeconds));
    if (failure !== undefined) return fail(id, failure[1]);
    if (!(await report(id, 'success'))) return tally.event('aborted');
    artifactName = artifact.artifact_name;
    tally.event('succeeded');
    await tellInventory();
  };

  // Not all at one moment: a fleet is switched on over the time between two polls.
  await pause(chances.between([0, kind.pollSeconds]));
  for (;;) {
    await letIn();
    if (performance.now() >= inventoryDue) await tellInventory();
    const provides = {
      device_type: kind.deviceType,
      artifact_name: artifactName,
      'rootfs-image.version': artifactName,
    };
    const next = await call(postNextDeploymentV2, { body: { device_provides: provides } });
    if (!('refused' in next) && next.status === 200) await install(next.body);
    await pause(kind.pollSeconds);
  }
}
