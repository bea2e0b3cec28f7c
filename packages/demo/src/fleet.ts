import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  addGroupDevices,
  createApiClient,
  createGroupDeployment,
  getDeployment,
  getDeploymentDevices,
  getDeviceDeploymentLog,
  getInventory,
  listDevices,
  login,
  setAuthSetStatus,
  uploadArtifact,
  type ApiClient,
} from '@tandem/api';
import type { DeviceDirectory } from './device-directory.ts';

/** A deployment as the server tells of it. */
export interface DeploymentProgress {
  readonly artifactName: string;
  readonly devices: readonly {
    readonly deviceName: string;
    readonly status: string;
    /** What the device uploaded when it failed. */
    readonly log?: string;
  }[];
}

/** The operator's side of the demo: everything goes over the management API with the operator's token. */
export interface Fleet {
  /** Waits until every device has asked to be let in, and accepts each. */
  acceptDevices(): Promise<void>;
  waitForInventory(): Promise<void>;
  putInGroup(group: string): Promise<void>;
  upload(artifactPath: string): Promise<void>;
  /** Creates the deployment and follows it until it has finished. */
  deployToGroup(
    name: string,
    artifactName: string,
    group: string,
    follow: FollowOptions,
  ): Promise<DeploymentProgress>;
  /** `artifact_name` in the device's inventory. */
  reportedArtifact(deviceName: string): Promise<string>;
}

export interface FollowOptions {
  readonly timeoutMs: number;
  readonly onProgress?: (progress: DeploymentProgress) => void;
}

export interface FleetOptions {
  readonly url: string;
  readonly certificate: string;
  readonly email: string;
  readonly password: string;
  readonly devices: readonly DeviceDirectory[];
  readonly signal: AbortSignal;
  /** How long devices may take to ask and to report; default a minute. */
  readonly waitTimeoutMs?: number;
}

const usualWaitTimeoutMs = 60_000;
const pollMs = 100;

/** Logs in and finds out which device is which by the address in its identity. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  // The built-in fetch has no option for a certificate; this process talks to this server alone.
  setDefaultCACertificates([...getCACertificates('default'), options.certificate]);
  const credentials = Buffer.from(`${options.email}:${options.password}`).toString('base64');
  const visitor = createApiClient({ baseUrl: options.url, token: () => undefined, fetch });
  const { body: token } = await visitor(login, { headers: { authorization: `Basic ${credentials}` } });
  const call = createApiClient({ baseUrl: options.url, token: () => token, fetch });

  const nameByMac = new Map<string, string>();
  for (const device of options.devices) {
    nameByMac.set((await readFile(join(device.hardware, 'mac'), 'utf8')).trim(), device.name);
  }
  const idByName = new Map<string, string>();
  const nameById = new Map<string, string>();
  const wait = (what: string, holds: () => Promise<boolean>): Promise<void> =>
    waitUntil(what, holds, options.waitTimeoutMs ?? usualWaitTimeoutMs, options.signal);

  return {
    acceptDevices: () =>
      wait('every device has asked to be let in', async () => {
        for (const device of (await call(listDevices, { query: { per_page: 500 } })).body) {
          const name = nameByMac.get(String(device.identity_data['mac']));
          const authSet = device.auth_sets?.[0];
          if (name === undefined || authSet === undefined || nameById.has(device.id)) continue;
          await call(setAuthSetStatus, {
            params: { id: device.id, aid: authSet.id },
            body: { status: 'accepted' },
          });
          idByName.set(name, device.id);
          nameById.set(device.id, name);
        }
        return nameById.size === nameByMac.size;
      }),

    waitForInventory: async () => {
      for (const id of nameById.keys()) {
        await wait(`${nameById.get(id) ?? id} has reported its inventory`, async () => {
          return (await attribute(call, id, 'inventory', 'artifact_name')) !== undefined;
        });
      }
    },

    putInGroup: async (group) => {
      await call(addGroupDevices, { params: { name: group }, body: [...nameById.keys()] });
    },

    upload: async (artifactPath) => {
      const form = new FormData();
      form.set('artifact', await openAsBlob(artifactPath), basename(artifactPath));
      await call(uploadArtifact, { body: form });
    },

    deployToGroup: async (name, artifactName, group, { timeoutMs, onProgress }) => {
      const created = await call(createGroupDeployment, {
        params: { name: group },
        body: { name, artifact_name: artifactName },
      });
      const id = String(created.headers['location']).split('/').at(-1) ?? '';
      let progress: DeploymentProgress = { artifactName, devices: [] };
      await waitUntil(
        `deployment of ${artifactName} has finished`,
        async () => {
          const finished = (await call(getDeployment, { params: { id } })).body.status === 'finished';
          progress = await readProgress(call, id, artifactName, nameById, finished);
          onProgress?.(progress);
          // A device's log follows its failure, so that the last one may come after the deployment's end.
          return (
            finished && progress.devices.every(({ status, log }) => status !== 'failure' || log !== undefined)
          );
        },
        timeoutMs,
        options.signal,
      );
      return progress;
    },

    reportedArtifact: async (deviceName) => {
      const id = idByName.get(deviceName) ?? '';
      return String(await attribute(call, id, 'inventory', 'artifact_name'));
    },
  };
}

async function attribute(call: ApiClient, id: string, scope: string, name: string): Promise<unknown> {
  const { body } = await call(getInventory, { params: { id } });
  return body.attributes.find((each) => each.scope === scope && each.name === name)?.value;
}

async function readProgress(
  call: ApiClient,
  id: string,
  artifactName: string,
  nameById: ReadonlyMap<string, string>,
  withLogs: boolean,
): Promise<DeploymentProgress> {
  const { body } = await call(getDeploymentDevices, { params: { id } });
  const devices = await Promise.all(
    body.map(async (device) => ({
      deviceName: nameById.get(device.id) ?? device.id,
      status: device.status,
      ...(withLogs && device.log
        ? { log: (await call(getDeviceDeploymentLog, { params: { id, device_id: device.id } })).body }
        : {}),
    })),
  );
  return { artifactName, devices };
}

/** Asks again until it holds; a server that is away for the moment only means "not yet". */
async function waitUntil(
  what: string,
  holds: () => Promise<boolean>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    let last: unknown;
    try {
      if (await holds()) return;
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${String(timeoutMs / 1000)} s in vain until ${what}`, { cause: last });
    }
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'unreachable';
}
