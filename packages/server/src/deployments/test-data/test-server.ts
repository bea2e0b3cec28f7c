import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeDecompressors } from '@tandem/artifact';
import { xzDecompressor } from '@tandem/artifact/xz';
import { preparedQuery } from '../../database/prepared-query.ts';
import { defaultTenant, unbounded, type Actor } from '../../actor.ts';
import { everyDatabase } from '../../testing/every-database.ts';
import { everyStorage } from '../../testing/every-storage.ts';
import { artifactLinks } from '../../http/artifact-link.ts';
import { configurationLinks } from '../../http/configuration-link.ts';
import { createHttp } from '../../http/create-http.ts';
import { directAnswers } from '../../http/direct-answers.ts';
import { routeRegistrar } from '../../http/register-route.ts';
import { securityHeaders } from '../../http/security-headers.ts';
import { silentLog } from '../../log.ts';
import type { ObjectStorage } from '../../object-storage/object-storage.ts';
import { readOrMakeLinkKey } from '../../object-storage/link-key.ts';
import { storedObjectOf } from '../../releases/artifacts.ts';
import { ServerError } from '../../server-error.ts';
import { endPartsOfDecommissioned } from '../device-reports.ts';
import { standingOf, type Standing } from '../nothing-to-do.ts';
import { createSoftwareUpdates } from '../software-updates.ts';

/** What the other domains would know of devices; a test changes it as it goes. */
export interface KnownDevices {
  accepted: string[];
  groups: Record<string, string>;
  /** `identity/sn=7` to device. */
  attributes: Record<string, string>;
  /** What a device last said of itself. */
  reported: Record<string, Record<string, string>>;
}

export interface TestServerOptions {
  readonly dataDirectory?: string;
  readonly answerNextV2?: boolean;
  readonly requireSignature?: boolean;
  readonly serveDownloads?: boolean;
  readonly storageLimitBytes?: number;
  /** Where to listen; a server that is started again wants its old place. */
  readonly port?: number;
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

/**
 * Releases, deployments and downloads on a real SQLite file, real files and a real socket. A token is `user` or `device:<id>`; an
 * optional `@<tenant>` behind it names another tenant. Every answer is compared with its contract.
 */
export async function startTestServer(options: TestServerOptions = {}) {
  const dataDirectory = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), 'tandem-updates-')));
  const time = { offsetMs: 0 };
  const clock = () => Date.now() + time.offsetMs;
  const known: KnownDevices = { accepted: [], groups: {}, attributes: {}, reported: {} };
  const log: string[] = [];

  const database = await everyDatabase.open(dataDirectory, clock);
  const { storage: opened, stored } = await everyStorage.open(join(dataDirectory, 'artifacts'));
  const puts = { ended: 0 };
  const storage: ObjectStorage = {
    ...opened,
    put: async (...given) => {
      try {
        return await opened.put(...given);
      } finally {
        puts.ended += 1;
      }
    },
  };
  const http = createHttp({
    tls: undefined,
    maxBodyBytes: 1024 ** 2,
    log: (level, message, fields) => void log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
  });
  // The address is known only once we listen, and links are made only then.
  const address = { url: '' };
  const linkKey = await readOrMakeLinkKey(join(dataDirectory, 'keys', 'download-links.key'));
  const links = artifactLinks(
    () => address.url,
    linkKey,
    clock,
    storage.links !== undefined && options.serveDownloads !== true
      ? { links: storage.links, storedObjectOf: (tenant, id) => storedObjectOf(database.read, tenant, id) }
      : undefined,
  );
  const updates = createSoftwareUpdates({
    database,
    storage,
    links,
    configurationLinks: configurationLinks(() => address.url, linkKey, clock),
    clock,
    log: silentLog,
    decompressors: { ...nodeDecompressors, lzma: xzDecompressor },
    requireSignature: options.requireSignature ?? false,
    answerNextV2: options.answerNextV2 ?? true,
    acceptedDevices: async (_reader, _actor, { after, limit }) =>
      known.accepted
        .toSorted()
        .filter((id) => id > after)
        .slice(0, limit),
    devicesInGroup: async (_reader, _actor, group) =>
      known.accepted.filter((id) => known.groups[id] === group),
    groupOfDevice: async (_reader, _actor, id) => known.groups[id] ?? null,
    deviceByAttribute: async (_reader, _actor, { scope, name, value }) =>
      known.attributes[`${scope}/${name}=${value}`],
    reportedTexts: async (_reader, _actor, ids) =>
      new Map(ids.flatMap((id) => (known.reported[id] === undefined ? [] : [[id, known.reported[id]]]))),
    generationRequested: () => undefined,
    uploadCompleted: () => undefined,
    storageLimitBytes: options.storageLimitBytes ?? 0,
  });
  await updates.removeLeftovers(everyStorage.everythingIsOlderThanMs());
  updates.registerRoutes(
    routeRegistrar(http, {
      authenticate: {
        user: actorOf('user'),
        device: async (token) => {
          const caller = await actorOf('device')(token);
          const { tenant, subject } = caller.actor;
          const [standing] = await standingAlone(database.read, { tenant, deviceId: subject.id });
          return { ...caller, standing };
        },
        internal: actorOf('internal'),
      },
      isAllowed: () => true,
      checkAnswers: true,
      direct: directAnswers(http, {
        log: silentLog,
        headers: securityHeaders(false),
        maxBodyBytes: 1024 ** 2,
        requestAnswered: undefined,
      }),
    }),
  );
  await http.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  // A TCP server has an address once it listens.
  const { port } = http.server.address() as AddressInfo;
  address.url = `http://127.0.0.1:${port}`;

  const stop = async () => {
    http.server.closeAllConnections();
    await http.close();
    await database.close();
  };
  return {
    url: address.url,
    port,
    dataDirectory,
    database,
    known,
    time,
    log,
    /** What a server does in the background once it listens. */
    generateArtifacts: () => updates.generateArtifacts(AbortSignal.timeout(30_000)),
    takeInDirectUploads: () => updates.takeInDirectUploads(AbortSignal.timeout(30_000)),
    removeLeftovers: updates.removeLeftovers,
    finishAborts: () => updates.finishAborts(AbortSignal.timeout(30_000)),
    storage,
    /** How many objects were stored, or were not after all. */
    puts,
    /** Everything in the storage, what is half written included. */
    storedFiles: stored,
    decommission: (deviceId: string) =>
      database.unitOfWork((tx) => endPartsOfDecommissioned(tx, actor('user', 'somebody'), deviceId, clock())),
    request: (method: string, path: string, given: RequestOptions = {}) =>
      request(address.url, method, path, given),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

const actor = (kind: 'user' | 'device', id: string, tenant = defaultTenant): Actor => ({
  tenant,
  subject: { kind, id },
  scope: unbounded,
});

const actorOf = (audience: 'user' | 'device' | 'internal') => async (token: string) => {
  const [, kind, id, tenant] = /^(user|device)(?::([^@]+))?(?:@(.+))?$/.exec(token) ?? [];
  if (kind !== audience || (kind !== 'user' && kind !== 'device')) {
    throw new ServerError('unauthorized', 'wrong token', { emptyBody: true });
  }
  return { actor: actor(kind, id ?? 'somebody', tenant), tokenId: token };
};

const standingAlone = preparedQuery<{ tenant: string; deviceId: string }, Standing>((reader, value) =>
  reader.selectNoFrom([...standingOf(reader, { tenant: value('tenant'), deviceId: value('deviceId') })]),
);

/** What `fetch` takes as a body. */
export type UploadBody = NonNullable<RequestInit['body']>;

export interface RequestOptions {
  /** Default: none. */
  readonly as?: string;
  readonly json?: unknown;
  readonly body?: UploadBody;
  readonly headers?: Readonly<Record<string, string>>;
}

async function request(
  url: string,
  method: string,
  path: string,
  { as, json, body, headers }: RequestOptions,
) {
  const response = await fetch(path.startsWith('http') ? path : `${url}${path}`, {
    method,
    headers: {
      ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    // A stream is sent as it comes, in chunks.
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes, json: parsed(bytes) };
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
