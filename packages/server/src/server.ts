import { addVirtualDevice, allEndpoints, getHealth, getReady, getServerIdentity } from '@tandem/api';
import { nodeDecompressors } from '@tandem/artifact';
import { xzDecompressor } from '@tandem/artifact/xz';
import type { FastifyInstance } from 'fastify';
import { defaultTenant, unbounded, type Actor } from './actor.ts';
import { reconciler } from './background/reconciler.ts';
import { repeat } from './background/repeat.ts';
import { registerChangeRoutes } from './changes/change-routes.ts';
import type { Clock } from './clock.ts';
import type { Database } from './database/open-database.ts';
import { registerDocumentationRoutes } from './documentation/documentation-routes.ts';
import { endPartsOfDecommissioned } from './deployments/device-reports.ts';
import { createSoftwareUpdates } from './deployments/software-updates.ts';
import { deviceCaller } from './device-caller.ts';
import { checkInTimes } from './device-auth/check-in-times.ts';
import { registerDeviceAuthRoutes } from './device-auth/device-auth-routes.ts';
import { acceptedDevices, createDeviceAuth } from './device-auth/device-auth.ts';
import { createDeviceConfigurations } from './device-configuration/device-configuration.ts';
import { registerDeviceConfigurationRoutes } from './device-configuration/device-configuration-routes.ts';
import { registerDeviceConnectionRoutes } from './device-connections/device-connection-routes.ts';
import { artifactLinks } from './http/artifact-link.ts';
import { tokenRefused } from './http/bearer-token.ts';
import { configurationLinks } from './http/configuration-link.ts';
import { createHttp } from './http/create-http.ts';
import { directAnswers } from './http/direct-answers.ts';
import { measureRequests, type AnsweredRequest } from './http/measure-requests.ts';
import { answerOtherMethods } from './http/other-methods.ts';
import { securityHeaders } from './http/security-headers.ts';
import { routeRegistrar, type Authenticate } from './http/register-route.ts';
import { registerIntegrationRoutes } from './integrations/integration-routes.ts';
import { registerInventoryRoutes } from './inventory/inventory-routes.ts';
import { createInventory, deviceByAttribute, devicesInGroup, groupOfDevice } from './inventory/inventory.ts';
import { reportedTexts } from './inventory/reported-texts.ts';
import type { Log } from './log.ts';
import type { ObjectStorage } from './object-storage/object-storage.ts';
import { readiness } from './operation/readiness.ts';
import { storedObjectOf } from './releases/artifacts.ts';
import { ServerError } from './server-error.ts';
import { issueToken, signToken, tokenVerifier } from './tokens/json-web-token.ts';
import type { SigningKeys } from './tokens/signing-keys.ts';
import { firstAdministrator } from './users/first-administrator.ts';
import { loginRate } from './users/login-rate.ts';
import { createSettings } from './users/settings.ts';
import { registerUserRoutes } from './users/user-routes.ts';
import { createUserTokens, type ScopeOfUser } from './users/user-tokens.ts';
import { createUsers } from './users/users.ts';
import type { VirtualDevices } from './virtual-devices.ts';
import { serveWebInterface } from './web-interface/serve-web-interface.ts';
import type { WebFiles } from './web-interface/web-files.ts';

export interface ServerParts {
  readonly database: Database;
  readonly objectStorage: ObjectStorage;
  readonly keys: {
    readonly deviceTokens: SigningKeys;
    readonly userTokens: SigningKeys;
    readonly downloadLinks: Uint8Array;
  };
  readonly clock: Clock;
  readonly log: Log;
  /** What a user may see. Without it everything, until roles say more. */
  readonly scopeOfUser?: ScopeOfUser;
  /** Told of every request that was answered, for metrics. */
  readonly requestAnswered?: ((request: AnsweredRequest) => void) | undefined;
  /** Makes virtual devices; without it the server has none to offer. */
  readonly virtualDevices?: VirtualDevices | undefined;
  /** The web interface; without it the server is the API alone. */
  readonly webFiles?: WebFiles | undefined;
  readonly configuration: {
    readonly tls: { readonly key: string; readonly cert: string } | undefined;
    /** Of a certificate of our own: what devices are told to trust. */
    readonly authority?: { readonly certificate: string; readonly sha256: string } | undefined;
    /** What download links begin with; undefined for the address the server listens on. */
    readonly publicUrl: string | undefined;
    readonly requireSignature: boolean;
    readonly nextV1Only: boolean;
    /** Bytes that all artifacts of a tenant may take together; 0 for no limit. */
    readonly storageLimit: number;
    /** Link to the server though the storage could be had directly. */
    readonly serveDownloads: boolean;
    /** Whether no other process stores objects where this one does. */
    readonly storesAlone: boolean;
    readonly tokenCacheSize: number;
    readonly shutdownSeconds: number;
    /** For tests: fail when an answer differs from its contract. */
    readonly checkAnswers?: boolean;
  };
}

export interface TandemServer {
  /** For tests: requests without a socket. */
  readonly http: FastifyInstance;
  readonly users: ReturnType<typeof createUsers>;
  readonly deviceAuth: ReturnType<typeof createDeviceAuth>;
  /** Opens the door for the first administrator, when there is no user yet: what to print on the console. */
  readonly openFirstAdministrator: () => Promise<{ token: string; until: string } | undefined>;
  /** Resolves with the URL once connections are taken. */
  readonly listen: (address: { host: string; port: number }) => Promise<string>;
  /** Takes no more, lets what is under way end (bounded), stores what is in memory, closes the database. Runs once. */
  readonly close: () => Promise<void>;
}

const maxBodyBytes = 1_048_576;
const checkInFlushMs = 60_000;
const retryMs = 60_000;
const tidyMs = 60 * 60 * 1000;
/** No upload is under way for so long. */
const longestUploadMs = 24 * 60 * 60 * 1000;

/** The whole server on one page: stores and domains, what they need of each other, routes, background. */
export function createServer({
  database,
  objectStorage,
  keys,
  clock,
  log,
  scopeOfUser = () => Promise.resolve(unbounded),
  webFiles,
  virtualDevices,
  requestAnswered,
  configuration,
}: ServerParts): TandemServer {
  // Domains, and what each is told by the others.
  const inventory = createInventory(database, clock);
  const deviceAuth = createDeviceAuth(database, clock, {
    onNewDevice: (tx, actor, id, { attributes }) => inventory.setIdentity(tx, actor, id, attributes),
    onStatus: async (tx, actor, id, status) => {
      await inventory.setStatus(tx, actor, id, status);
      if (status === 'accepted') await configurations.provide(tx, actor, id);
    },
    onDecommission: [
      inventory.forget,
      (tx, actor, id) => endPartsOfDecommissioned(tx, actor, id, clock()),
      (tx, actor, id) => configurations.forget(tx, actor, id),
    ],
    signToken: (claims) => issueToken(claims, keys.deviceTokens),
  });
  const users = createUsers(database, clock);
  const tokens = createUserTokens(
    database,
    clock,
    (claims) => signToken(claims, keys.userTokens),
    scopeOfUser,
  );
  const settings = createSettings(database, clock);
  const door = firstAdministrator(users, clock);
  let publicUrl = configuration.publicUrl;
  const ownUrl = () => publicUrl ?? notListening();
  const links = artifactLinks(
    ownUrl,
    keys.downloadLinks,
    clock,
    objectStorage.links !== undefined && !configuration.serveDownloads
      ? {
          links: objectStorage.links,
          storedObjectOf: (tenant, id) => storedObjectOf(database.read, tenant, id),
        }
      : undefined,
  );
  const updates = createSoftwareUpdates({
    database,
    storage: objectStorage,
    links,
    configurationLinks: configurationLinks(ownUrl, keys.downloadLinks, clock),
    clock,
    log,
    decompressors: { ...nodeDecompressors, lzma: xzDecompressor },
    requireSignature: configuration.requireSignature,
    answerNextV2: !configuration.nextV1Only,
    storageLimitBytes: configuration.storageLimit,
    acceptedDevices,
    devicesInGroup,
    groupOfDevice,
    deviceByAttribute,
    reportedTexts,
    generationRequested: () => generating.nudge(),
    uploadCompleted: () => takingIn.nudge(),
  });
  const takingIn = reconciler('taking in direct uploads', retryMs, updates.takeInDirectUploads, log);
  const tidying = reconciler(
    'removing what uploads left',
    tidyMs,
    (signal) => updates.removeLeftovers(longestUploadMs, signal),
    log,
  );
  const ending = reconciler('ending what an abort has left', retryMs, updates.finishAborts, log);
  const generating = reconciler('generating artifacts', retryMs, updates.generateArtifacts, log);
  const configurations = createDeviceConfigurations({
    database,
    clock,
    deploy: updates.deployConfiguration,
  });
  const checkIns = checkInTimes(database, inventory.noteCheckIns);

  // Who may call what.
  const verifyDevice = tokenVerifier(keys.deviceTokens, configuration.tokenCacheSize);
  const verifyUser = tokenVerifier(keys.userTokens, configuration.tokenCacheSize);
  const device = deviceCaller({
    reader: database.read,
    keys: keys.deviceTokens,
    verify: verifyDevice,
    checkIns,
    clock,
  });
  const user: Authenticate = async (token) => {
    const claims = verifyUser(token, clock() / 1000);
    const actor = claims?.['mender.user'] === true ? await tokens.actorOf(claims) : undefined;
    if (claims === undefined || actor === undefined) throw tokenRefused();
    return { tokenId: claims.jti, actor };
  };
  // Nobody outside of this process is internal.
  const internal: Authenticate = () => Promise.reject(tokenRefused());
  // Every user may do everything until there are roles.
  const isAllowed = ({ subject }: Actor) => subject.kind === 'user';

  // Routes.
  const http = createHttp({ tls: configuration.tls, maxBodyBytes, log });
  if (requestAnswered !== undefined) measureRequests(http, requestAnswered);
  const register = routeRegistrar(http, {
    authenticate: { device, user, internal },
    isAllowed,
    checkAnswers: configuration.checkAnswers ?? false,
    direct: directAnswers(http, {
      log,
      headers: securityHeaders(configuration.tls !== undefined),
      maxBodyBytes,
      requestAnswered,
    }),
  });
  let closing: Promise<void> | undefined;
  register(getHealth, async () => {
    if (closing !== undefined) throw new ServerError('unavailable', 'the server is being stopped');
    return { status: 200, body: { status: 'ready' } };
  });
  const partsThatFail = readiness({ database, objectStorage, clock, log });
  register(getReady, async () => {
    const failing = closing === undefined ? await partsThatFail() : ['the server is being stopped'];
    if (failing.length > 0) throw new ServerError('unavailable', `not ready: ${failing.join(', ')}`);
    return { status: 200, body: { status: 'ready' } };
  });
  register(getServerIdentity, async () => ({
    status: 200,
    body: {
      public_url: ownUrl(),
      authority: configuration.authority ?? null,
      virtual_devices: virtualDevices?.isOffered() ?? false,
    },
  }));
  register(addVirtualDevice, async () => {
    if (virtualDevices?.isOffered() !== true)
      throw new ServerError(
        'notFound',
        'this server was given no means to make virtual devices; the demo has them',
      );
    return { status: 201, body: await virtualDevices.add() };
  });
  registerDeviceAuthRoutes(register, { deviceAuth, checkIns, tenantOfDevice: () => defaultTenant });
  registerInventoryRoutes(register, inventory);
  registerUserRoutes(register, {
    users,
    tokens,
    settings,
    firstAdministrator: door,
    rate: loginRate(clock),
    isAllowed,
  });
  updates.registerRoutes(register);
  registerDeviceConfigurationRoutes(register, configurations);
  registerDeviceConnectionRoutes(register);
  registerIntegrationRoutes(register);
  registerDocumentationRoutes(register);
  const endChangeStreams = registerChangeRoutes(register, { database, authenticate: user, isAllowed });
  answerOtherMethods(http, allEndpoints);
  serveWebInterface(http, webFiles);

  // Background.
  const stopBackground = [
    repeat('storing check-in times', checkInFlushMs, checkIns.flush, log),
    generating.stop,
    takingIn.stop,
    ending.stop,
    tidying.stop,
  ];

  const close = async () => {
    endChangeStreams();
    const impatience = setTimeout(
      () => http.server.closeAllConnections(),
      configuration.shutdownSeconds * 1000,
    );
    await http.close();
    clearTimeout(impatience);
    checkIns.hurry();
    for (const stop of stopBackground) await stop();
    await checkIns.flush();
    await database.close();
  };

  return {
    http,
    users,
    deviceAuth,
    openFirstAdministrator: door.open,
    listen: async ({ host, port }) => {
      // At start nothing half stored can be anybody's, where nobody else stores there.
      if (configuration.storesAlone) await updates.removeLeftovers(0);
      generating.nudge();
      takingIn.nudge();
      tidying.nudge();
      ending.nudge();
      const url = await http.listen({ host, port });
      publicUrl ??= url;
      return url;
    },
    close: () => (closing ??= close()),
  };
}

function notListening(): never {
  throw new ServerError('internal', 'links are made only once the server listens');
}
