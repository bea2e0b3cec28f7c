import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import manifest from '../../package.json' with { type: 'json' };
import type { Clock } from '../clock.ts';
import { splitAddress } from '../configuration/read-configuration.ts';
import type { Configuration } from '../configuration/settings.ts';
import { lockDataDirectory, oneAfterAnother } from '../database/data-directory-lock.ts';
import type { Log } from '../log.ts';
import { readOrMakeLinkKey } from '../object-storage/link-key.ts';
import { openObjectStorage } from '../object-storage/open-object-storage.ts';
import { fleetCounts } from '../operation/fleet-counts.ts';
import { listenForMetrics } from '../operation/metrics-listener.ts';
import { createServer } from '../server.ts';
import { ServerError } from '../server-error.ts';
import { selfMadeCertificate, type Certificate, type SelfMadeCertificate } from '../tls/certificate.ts';
import { loadSigningKeys } from '../tokens/signing-keys.ts';
import type { VirtualDevices } from '../virtual-devices.ts';
import { readWebFiles } from '../web-interface/web-files.ts';
import {
  keysPath,
  linkKeyPath,
  lockPath,
  openDatabase,
  startLockPath,
  storagePaths,
} from './data-directory.ts';

export interface ServeWorld {
  readonly clock: Clock;
  readonly log: Log;
  /** What the person at the console should read; never the request log. */
  readonly print: (text: string) => void;
  /** Of the process that started this one, when it makes any. */
  readonly virtualDevices: VirtualDevices;
}

/** Where `npm ci` builds the web interface; packages name theirs by the setting. */
const builtWebInterface = fileURLToPath(new URL('../../../web/dist', import.meta.url));

/** Starts the server out of its data directory; resolves with what stops it. */
export async function serve(
  configuration: Configuration,
  { clock, log, print, virtualDevices }: ServeWorld,
): Promise<() => Promise<void>> {
  const { dataDirectory, database, listen, http } = configuration;
  const address = splitAddress(listen);
  const metricsListen = splitAddress(configuration.metricsListen ?? '');
  if (dataDirectory === undefined || address === undefined)
    throw new ServerError('internal', 'unchecked configuration');
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  // SQLite has one server; those on PostgreSQL share keys and artifacts.
  const isShared = database !== undefined;
  const unlock = lockDataDirectory(lockPath(dataDirectory), isShared ? 'together' : 'alone');
  let listening: Awaited<ReturnType<typeof listenForMetrics>> | undefined;
  try {
    // What a first start makes is made by one, and found by those that start beside it.
    const { tls, keys } = await oneAfterAnother(startLockPath(dataDirectory), async () => ({
      tls: http ? undefined : await certificate(configuration, dataDirectory, address.host, clock),
      keys: await keysIn(dataDirectory),
    }));
    // Loaded where it is used: without it a server starts sooner and is smaller.
    const metrics = metricsListen && (await import('../operation/metrics.ts')).createMetrics(manifest);
    const opened = await openDatabase({ dataDirectory, database }, clock, metrics?.committed);
    metrics?.countFleet(fleetCounts(opened, clock, log));
    const server = createServer({
      database: metrics?.measured(opened) ?? opened,
      requestAnswered: metrics?.requestAnswered,
      keys,
      objectStorage: await openObjectStorage(configuration, storagePaths(dataDirectory), clock),
      clock,
      log,
      virtualDevices,
      webFiles: await readWebFiles(configuration.webInterface ?? builtWebInterface),
      configuration: {
        ...configuration,
        tls,
        authority:
          tls !== undefined && isSelfMade(tls)
            ? { certificate: tls.authority, sha256: tls.authorityFingerprint }
            : undefined,
        publicUrl: publicUrl(configuration, address),
        storesAlone: !isShared && configuration.storage === undefined,
      },
    });
    listening = metrics && (await listenForMetrics(metrics, metricsListen, log));
    const url = await server.listen(address);
    if (listening !== undefined) print(`Metrics are at ${listening.url}`);
    if (tls !== undefined && isSelfMade(tls)) {
      print(
        `Certificate authority: ${tls.authorityPath}\nSHA-256 fingerprint:   ${tls.authorityFingerprint}`,
      );
    }
    const door = await server.openFirstAdministrator();
    if (door !== undefined) print(invitation(door));
    const reachable = publicUrl(configuration, address);
    // The last line: whoever waits for it has read the others.
    print(`Tandem is ready at ${reachable === undefined ? url : `${reachable} (listening on ${url})`}`);
    return async () => {
      await server.close();
      await listening?.close();
      unlock();
    };
  } catch (error) {
    await listening?.close();
    unlock();
    throw error;
  }
}

async function keysIn(dataDirectory: string) {
  const directory = keysPath(dataDirectory);
  return {
    deviceTokens: await loadSigningKeys(directory, 'device-tokens'),
    userTokens: await loadSigningKeys(directory, 'user-tokens'),
    downloadLinks: await readOrMakeLinkKey(linkKeyPath(dataDirectory)),
  };
}

async function certificate(
  { tlsCertificate, tlsKey, publicUrl }: Configuration,
  dataDirectory: string,
  host: string,
  clock: Clock,
): Promise<Certificate | SelfMadeCertificate> {
  if (tlsCertificate !== undefined && tlsKey !== undefined) {
    return { cert: await readFile(tlsCertificate, 'utf8'), key: await readFile(tlsKey, 'utf8') };
  }
  return selfMadeCertificate(join(dataDirectory, 'tls'), namesOf(publicUrl, host), clock);
}

/** A wildcard address is none that a device could be told; the machine's own name is. */
function publicUrl(
  { publicUrl: given, http }: Configuration,
  { host, port }: { host: string; port: number },
): string | undefined {
  if (given !== undefined || !isWildcard(host) || port === 0) return given;
  return `${http ? 'http' : 'https'}://${hostname()}:${port}`;
}

const isWildcard = (host: string): boolean => isIP(host) !== 0 && /^[0:.]+$/.test(host);

/** The names people and devices may call the server by. */
function namesOf(publicUrl: string | undefined, host: string): string[] {
  const publicHost =
    publicUrl === undefined ? hostname() : new URL(publicUrl).hostname.replace(/^\[|\]$/g, '');
  return [
    ...new Set([publicHost, 'localhost', '127.0.0.1', '::1', ...(isWildcard(host) ? [] : [host])]),
  ].filter((name) => name !== '');
}

const isSelfMade = (certificate: Certificate): certificate is SelfMadeCertificate =>
  'authorityPath' in certificate;

const invitation = ({ token, until }: { token: string; until: string }): string =>
  [
    `There is no user yet. One-time token for the first administrator, good until ${until}:`,
    `  ${token}`,
    'Give it at the address below in a browser (POST /api/tandem/v1/first-administrator for programs), or use `tandem-server user create`.',
  ].join('\n');
