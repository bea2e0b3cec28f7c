import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  abortDeployment,
  createApiClient,
  createDeployment,
  createPersonalAccessToken,
  deployDeviceConfiguration,
  getArtifactLink,
  getDeployment,
  getDeploymentDevices,
  getDeviceConfiguration,
  getDeviceDeploymentLog,
  getInventory,
  listAllArtifacts,
  listDevices,
  login,
  putDeviceConfiguration,
  setAuthSetStatus,
  uploadArtifact,
  type ApiClient,
  type Deployment,
  type Device,
} from '@tandem/api';
import { until } from './until.ts';

/** The person at the management API. Devices are named by the address in their identity. */
export interface Operator {
  /** Waits until the device has asked to be let in. */
  knocking(mac: string): Promise<Device>;
  /** Lets it in, once it has asked; returns its id. */
  accept(mac: string): Promise<string>;
  /** Shuts it out. */
  reject(mac: string): Promise<void>;
  device(mac: string): Promise<Device | undefined>;
  /** The inventory scope, by attribute. */
  inventory(deviceId: string): Promise<Readonly<Record<string, unknown>>>;
  upload(artifactPath: string): Promise<void>;
  /** A link by which anybody may download the artifact for a while. */
  downloadLink(artifactName: string): Promise<string>;
  /** Deploys to one device; returns the deployment's id. `force` offers it even to a device that has it. */
  deploy(artifactName: string, deviceId: string, options?: { readonly force: boolean }): Promise<string>;
  abort(deploymentId: string): Promise<void>;
  deployment(id: string): Promise<Deployment>;
  /** How far the device has come; undefined before it asked. */
  status(deploymentId: string, deviceId: string): Promise<string | undefined>;
  /** Waits until the deployment has finished; how it ended for the device. */
  outcome(deploymentId: string, deviceId: string, timeoutMs?: number): Promise<string | undefined>;
  /** Waits for the log the device uploads after a failure. */
  deviceLog(deploymentId: string, deviceId: string): Promise<string>;
  personalAccessToken(name: string): Promise<string>;
  /** Says what is wanted of the device, and deploys it; returns the deployment's id. */
  configure(deviceId: string, wanted: Readonly<Record<string, string>>): Promise<string>;
  /** What the device has reported of its configuration. */
  reportedConfiguration(deviceId: string): Promise<Readonly<Record<string, string>>>;
}

/** Logs in, and has this process trust the server's authority: the built-in fetch has no option for a certificate. */
export async function logIn(
  { url, certificate }: { readonly url: string; readonly certificate: string },
  email: string,
  password: string,
): Promise<Operator> {
  setDefaultCACertificates([...getCACertificates('default'), certificate]);
  const authorization = `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}`;
  const visitor = createApiClient({ baseUrl: url, token: () => undefined, fetch });
  const { body: token } = await visitor(login, { headers: { authorization } });
  return operator(createApiClient({ baseUrl: url, token: () => token, fetch }));
}

function operator(call: ApiClient): Operator {
  const device = async (mac: string): Promise<Device | undefined> =>
    (await call(listDevices, { query: { per_page: 500 } })).body.find(
      ({ identity_data }) => identity_data['mac'] === mac,
    );
  const knocking = (mac: string): Promise<Device> => until(`${mac} asks to be let in`, () => device(mac));
  const partOf = async (deploymentId: string, deviceId: string) =>
    (await call(getDeploymentDevices, { params: { id: deploymentId } })).body.find(
      ({ id }) => id === deviceId,
    );
  const deployment = async (id: string) => (await call(getDeployment, { params: { id } })).body;
  const status = async (deploymentId: string, deviceId: string) =>
    (await partOf(deploymentId, deviceId))?.status;
  const decide = async (mac: string, decision: 'accepted' | 'rejected'): Promise<string> => {
    const { id, auth_sets } = await knocking(mac);
    const aid = auth_sets?.[0]?.id ?? '';
    await call(setAuthSetStatus, { params: { id, aid }, body: { status: decision } });
    return id;
  };
  return {
    knocking,
    device,
    deployment,
    status,
    accept: (mac) => decide(mac, 'accepted'),
    reject: async (mac) => {
      await decide(mac, 'rejected');
    },
    inventory: async (id) => {
      const { body } = await call(getInventory, { params: { id } });
      const reported = body.attributes.filter(({ scope }) => scope === 'inventory');
      return Object.fromEntries(reported.map(({ name, value }) => [name, value]));
    },
    upload: async (path) => {
      const form = new FormData();
      form.set('artifact', await openAsBlob(path), basename(path));
      await call(uploadArtifact, { body: form });
    },
    downloadLink: async (artifactName) => {
      const artifacts = (await call(listAllArtifacts, { query: { name: artifactName } })).body;
      const { id = '' } = artifacts.find(({ name }) => name === artifactName) ?? {};
      return (await call(getArtifactLink, { params: { id } })).body.uri;
    },
    deploy: async (artifactName, deviceId, { force } = { force: false }) => {
      const { headers } = await call(createDeployment, {
        body: {
          name: artifactName,
          artifact_name: artifactName,
          devices: [deviceId],
          force_installation: force,
        },
      });
      return String(headers['location']).split('/').at(-1) ?? '';
    },
    abort: async (id) => {
      await call(abortDeployment, { params: { id }, body: { status: 'aborted' } });
    },
    outcome: async (deploymentId, deviceId, timeoutMs) => {
      await until(
        `deployment ${deploymentId} has finished`,
        async () => (await deployment(deploymentId)).status === 'finished' || undefined,
        timeoutMs,
      );
      return status(deploymentId, deviceId);
    },
    deviceLog: (deploymentId, deviceId) =>
      until(`${deviceId} has uploaded its log`, async () => {
        if ((await partOf(deploymentId, deviceId))?.log !== true) return undefined;
        const params = { id: deploymentId, device_id: deviceId };
        return (await call(getDeviceDeploymentLog, { params })).body;
      }),
    configure: async (deviceId, wanted) => {
      const params = { device_id: deviceId };
      await call(putDeviceConfiguration, { params, body: Buffer.from(JSON.stringify(wanted)) });
      const { body } = await call(deployDeviceConfiguration, { params, body: Buffer.from('{}') });
      return body.deployment_id;
    },
    reportedConfiguration: async (deviceId) =>
      (await call(getDeviceConfiguration, { params: { device_id: deviceId } })).body.reported,
    personalAccessToken: async (name) =>
      (await call(createPersonalAccessToken, { body: { name, expires_in: 3600 } })).body,
  };
}
