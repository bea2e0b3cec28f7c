import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { artifactForm, packArtifact } from '../deployments/test-data/test-artifact.ts';
import { authRequest, authRequestsPath, ed25519Device } from './whole-server.ts';

/** A fact that may be looked up later: what was answered before, or what was asked for when the answer never came. */
interface Fact<V> {
  known: V;
  asked: V;
}

interface LedgerDevice {
  readonly identity: ReturnType<typeof ed25519Device>;
  readonly mac: string;
  id: string;
  token: string;
  /** A number it reports in its inventory. */
  readonly reported: Fact<number>;
}

interface LedgerDeployment {
  readonly id: string;
  readonly device: LedgerDevice;
  readonly status: Fact<string>;
}

/** Everything a server has answered with a success, and what was under way when it died. */
export interface Ledger {
  readonly devices: LedgerDevice[];
  readonly deployments: LedgerDeployment[];
  readonly artifacts: string[];
  answers: number;
}

export const emptyLedger = (): Ledger => ({ devices: [], deployments: [], artifacts: [], answers: 0 });

export interface LedgerServer {
  readonly url: string;
  readonly userToken: string;
}

const management = '/api/management/v1/deployments';
const deviceDeployments = '/api/devices/v1/deployments/device/deployments';
const steps = ['downloading', 'installing', 'rebooting', 'success'] as const;

interface Asked {
  readonly as?: string;
  readonly json?: unknown;
  readonly body?: NonNullable<RequestInit['body']>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Writes of every kind one after another, until the server is gone. Whatever it answers well goes into the ledger. */
export async function writeUntilKilled(server: LedgerServer, ledger: Ledger): Promise<void> {
  const ask = async (method: string, path: string, { as, json, body, headers }: Asked = {}) => {
    const answer = await fetch(new URL(path, server.url), {
      method,
      headers: {
        ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    ledger.answers += 1;
    return { status: answer.status, text, location: answer.headers.get('location') ?? '' };
  };
  try {
    for (let number = 0; ; number += 1) {
      const device = await newDevice(server, ledger, ask);
      await reportInventory(device, ask);
      await reportInventory(device, ask);
      // An upload is much for the server: not each time.
      if (number % 3 === 0 || ledger.artifacts.length === 0) {
        const name = `release-${randomUUID()}`;
        const stored = await ask('POST', `${management}/artifacts`, {
          as: server.userToken,
          body: artifactForm(await packArtifact({ name, content: Buffer.alloc(20_000, name) })),
        });
        assert.equal(stored.status, 201, stored.text);
        ledger.artifacts.push(name);
      }
      await deploy(server, ledger, device, number % 4 === 3, ask);
    }
  } catch (error) {
    // `fetch` says so, and so does a body that ends too soon.
    if (!(error instanceof TypeError)) throw error;
  }
}

type Ask = (
  method: string,
  path: string,
  asked?: Asked,
) => Promise<{ readonly status: number; readonly text: string; readonly location: string }>;

async function newDevice({ userToken }: LedgerServer, ledger: Ledger, ask: Ask): Promise<LedgerDevice> {
  const mac = randomUUID();
  const identity = ed25519Device({ mac });
  const request = () => {
    const { body, headers } = authRequest(identity);
    return ask('POST', authRequestsPath, {
      body: String(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
  };
  assert.equal((await request()).status, 401);
  const device: LedgerDevice = { identity, mac, id: '', token: '', reported: { known: 0, asked: 0 } };
  // It was answered: from here on the server knows it.
  ledger.devices.push(device);
  const found = await ask('POST', '/api/management/v2/inventory/filters/search', {
    as: userToken,
    json: { filters: [{ scope: 'identity', attribute: 'mac', type: '$eq', value: mac }] },
  });
  const [{ id }] = JSON.parse(found.text) as [{ id: string }];
  const { auth_sets: sets } = JSON.parse(
    (await ask('GET', `/api/management/v2/devauth/devices/${id}`, { as: userToken })).text,
  ) as { auth_sets: { id: string }[] };
  const accepted = await ask('PUT', `/api/management/v2/devauth/devices/${id}/auth/${sets[0]?.id}/status`, {
    as: userToken,
    json: { status: 'accepted' },
  });
  assert.equal(accepted.status, 204, accepted.text);
  device.id = id;
  const letIn = await request();
  assert.equal(letIn.status, 200, letIn.text);
  device.token = letIn.text;
  return device;
}

async function reportInventory(device: LedgerDevice, ask: Ask): Promise<void> {
  device.reported.asked = device.reported.known + 1;
  const json = [{ name: 'counter', value: device.reported.asked }];
  const { status } = await ask('PATCH', '/api/devices/v1/inventory/device/attributes', {
    as: device.token,
    json,
  });
  assert.equal(status, 200);
  device.reported.known = device.reported.asked;
}

async function deploy(
  { userToken }: LedgerServer,
  ledger: Ledger,
  device: LedgerDevice,
  isAborted: boolean,
  ask: Ask,
): Promise<void> {
  const created = await ask('POST', `${management}/deployments`, {
    as: userToken,
    json: { name: randomUUID(), artifact_name: ledger.artifacts.at(-1), devices: [device.id] },
  });
  assert.equal(created.status, 201, created.text);
  const id = created.location.split('/').at(-1) ?? '';
  const status = { known: 'none', asked: 'none' };
  ledger.deployments.push({ id, device, status });
  const set = async (next: string, request: () => ReturnType<Ask>, expected: number) => {
    status.asked = next;
    const answer = await request();
    assert.equal(answer.status, expected, answer.text);
    status.known = next;
  };
  const next = `${deviceDeployments}/next?artifact_name=old&device_type=test`;
  await set('pending', () => ask('GET', next, { as: device.token }), 200);
  for (const step of isAborted ? steps.slice(0, 2) : steps) {
    const json = { status: step };
    await set(step, () => ask('PUT', `${deviceDeployments}/${id}/status`, { as: device.token, json }), 204);
  }
  if (!isAborted) return;
  const json = { status: 'aborted' };
  await set(
    'aborted',
    () => ask('PUT', `${management}/deployments/${id}/status`, { as: userToken, json }),
    204,
  );
}

/** Looks up every fact. What had no answer may have happened or not; what had one has. */
export async function assertNothingLost({ url, userToken }: LedgerServer, ledger: Ledger): Promise<void> {
  const get = async (path: string): Promise<{ status: number; json: unknown }> => {
    const answer = await fetch(new URL(path, url), { headers: { authorization: `Bearer ${userToken}` } });
    const text = await answer.text();
    return { status: answer.status, json: text === '' ? undefined : JSON.parse(text) };
  };
  const settle = <V>(fact: Fact<V>, found: V, what: string): void => {
    assert.ok(
      found === fact.known || found === fact.asked,
      `${what}: ${String(found)} instead of ${String(fact.known)}`,
    );
    fact.known = found;
    fact.asked = found;
  };
  for (const device of ledger.devices) {
    // Known by its identity where the server died before it told us the id.
    if (device.id === '') continue;
    const { status, json } = await get(`/api/management/v1/inventory/devices/${device.id}`);
    assert.equal(status, 200, `device ${device.mac}`);
    const { attributes } = json as { attributes: { scope: string; name: string; value: unknown }[] };
    const counter =
      attributes.find(({ scope, name }) => scope === 'inventory' && name === 'counter')?.value ?? 0;
    settle(device.reported, Number(counter), `inventory of ${device.mac}`);
    const mac = attributes.find(({ scope, name }) => scope === 'identity' && name === 'mac')?.value;
    assert.equal(mac, device.mac);
  }
  const { json: counted } = await get('/api/management/v2/devauth/devices/count');
  assert.ok((counted as { count: number }).count >= ledger.devices.length, 'a device that asked is gone');
  for (const { id, device, status } of ledger.deployments) {
    const found = await get(`${management}/deployments/${id}`);
    assert.equal(found.status, 200, `deployment ${id}`);
    const parts = (await get(`${management}/deployments/${id}/devices`)).json as {
      id: string;
      status: string;
    }[];
    settle(
      status,
      parts.find((part) => part.id === device.id)?.status ?? 'none',
      `device in deployment ${id}`,
    );
  }
  for (const name of ledger.artifacts) {
    const { json } = await get(`${management}/artifacts?name=${name}`);
    assert.equal((json as unknown[]).length, 1, `artifact ${name}`);
  }
}
