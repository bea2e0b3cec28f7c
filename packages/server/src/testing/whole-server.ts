import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultTenant, systemActor, unbounded, type Scope, type Tenant } from '../actor.ts';
import type { SearchLimits } from '../database/search-limits.ts';
import { everyDatabase } from './every-database.ts';
import type { Log } from '../log.ts';
import { openFileSystemStorage } from '../object-storage/file-system-storage.ts';
import { createServer } from '../server.ts';
import { signingKey, type SigningKeys } from '../tokens/signing-keys.ts';
import type { VirtualDevices } from '../virtual-devices.ts';

export interface RequestOptions {
  readonly token?: string | undefined;
  /** Sent as JSON, unless it is text or bytes. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined when it is empty or none. */
  readonly json: unknown;
}

export type WholeServer = Awaited<ReturnType<typeof startWholeServer>>;

export const administrator = { email: 'admin@example.com', password: 'correct horse battery' };

export interface WholeServerOptions {
  readonly searchLimits?: Partial<SearchLimits>;
  readonly virtualDevices?: VirtualDevices;
}

/**
 * The real server on a real database and real files, asked without a socket. Every answer is compared with its contract. With
 * TANDEM_TEST_SERVERS=2 there are two on the same database and files, and each request goes to the other one.
 */
export async function startWholeServer({ searchLimits = {}, virtualDevices }: WholeServerOptions = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-server-'));
  const time = { offsetMs: 0 };
  const clock = () => Date.now() + time.offsetMs;
  const logged: string[] = [];
  const log: Log = (level, message, fields) =>
    void logged.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  const keys = { deviceTokens: ed25519Keys(), userTokens: ed25519Keys(), downloadLinks: Buffer.alloc(32, 7) };
  const scopes = new Map<string, Scope>();
  const startOne = async () => {
    const database = await everyDatabase.open(directory, clock, searchLimits);
    const one = createServer({
      database,
      objectStorage: await openFileSystemStorage(join(directory, 'artifacts')),
      keys,
      clock,
      log,
      virtualDevices,
      scopeOfUser: async (_tenant, user) => scopes.get(user) ?? unbounded,
      configuration: {
        tls: undefined,
        publicUrl: 'https://tandem.example',
        requireSignature: false,
        nextV1Only: false,
        storageLimit: 0,
        serveDownloads: false,
        storesAlone: true,
        tokenCacheSize: 1000,
        shutdownSeconds: 1,
        checkAnswers: true,
      },
    });
    await one.http.ready();
    return { server: one, database };
  };
  const { server, database } = await startOne();
  const servers = [server];
  while (servers.length < Number(process.env['TANDEM_TEST_SERVERS'] ?? 1))
    servers.push((await startOne()).server);
  let asked = 0;

  const request = async (
    method: string,
    url: string,
    { token, body, headers }: RequestOptions = {},
  ): Promise<Answer> => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    asked += 1;
    const response = await (servers[asked % servers.length] ?? server).http.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: isRaw ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      json: isJson ? (JSON.parse(response.body) as unknown) : undefined,
    };
  };

  const logIn = async ({ email, password } = administrator): Promise<string> => {
    const { status, text } = await request('POST', '/api/management/v1/useradm/auth/login', {
      headers: { authorization: `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}` },
    });
    if (status !== 200) throw new Error(`log in of ${email}: ${status} ${text}`);
    return text;
  };

  const userOf = async (tenant: Tenant, user = administrator): Promise<string> => {
    await server.users.create(systemActor(tenant, 'test'), user);
    return logIn(user);
  };

  const token = await userOf(defaultTenant);
  return {
    server,
    database,
    directory,
    keys,
    time,
    logged,
    /** Of users that have one, by id. */
    scopes,
    request,
    logIn,
    userOf,
    /** Of the first administrator. */
    token,
    [Symbol.asyncDispose]: async () => {
      for (const one of servers) await one.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface TestDevice {
  readonly key: KeyObject;
  readonly pubkey: string;
  readonly idData: string;
}

export const ed25519Device = (idData: Readonly<Record<string, unknown>>): TestDevice => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    key: privateKey,
    pubkey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    idData: JSON.stringify(idData),
  };
};

/** What a device sends to be let in; the signature covers the very bytes. */
export function authRequest({ key, pubkey, idData }: TestDevice): RequestOptions {
  const body = JSON.stringify({ id_data: idData, pubkey, tenant_token: '' });
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return {
    body,
    headers: {
      'x-men-signature': sign(digest, Buffer.from(body), key).toString('base64'),
      authorization: 'API_KEY',
    },
  };
}

export const authRequestsPath = '/api/devices/v1/authentication/auth_requests';

interface DeviceJson {
  readonly id: string;
  readonly status: string;
  readonly auth_sets: readonly { readonly id: string; readonly status: string }[];
}

/** The device with this identity, as a user sees it. */
export async function findDevice({ request, token }: WholeServer, idData: string): Promise<DeviceJson> {
  const { json } = await request('GET', '/api/management/v2/devauth/devices?per_page=500', { token });
  const wanted = JSON.stringify(JSON.parse(idData));
  const device = (json as (DeviceJson & { identity_data: unknown })[]).find(
    (one) => JSON.stringify(one.identity_data) === wanted,
  );
  if (device === undefined) throw new Error(`no device with identity ${idData}`);
  return device;
}

/** Asks, is accepted by the administrator, asks again: id and token. */
export async function acceptedDevice(
  server: WholeServer,
  idData: Readonly<Record<string, unknown>>,
  device = ed25519Device(idData),
): Promise<{ id: string; token: string; setId: string; device: TestDevice }> {
  await server.request('POST', authRequestsPath, authRequest(device));
  const { id, auth_sets: sets } = await findDevice(server, device.idData);
  const setId = sets.at(-1)?.id ?? '';
  const accepted = await server.request(
    'PUT',
    `/api/management/v2/devauth/devices/${id}/auth/${setId}/status`,
    {
      token: server.token,
      body: { status: 'accepted' },
    },
  );
  if (accepted.status !== 204) throw new Error(`accepting ${id}: ${accepted.status} ${accepted.text}`);
  const { status, text } = await server.request('POST', authRequestsPath, authRequest(device));
  if (status !== 200) throw new Error(`token of ${id}: ${status} ${text}`);
  return { id, token: text, setId, device };
}

/** Ed25519: made in no time, where RSA takes its while. */
function ed25519Keys(): SigningKeys {
  const key = signingKey(0, generateKeyPairSync('ed25519').privateKey, 'a key for tests');
  return { signing: key, all: [key] };
}
