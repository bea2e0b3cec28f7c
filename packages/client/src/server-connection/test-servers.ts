import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { loadOrMakeDeviceKey } from '../identity/key-file.ts';
import { linuxFiles } from '../system/linux-files.ts';
import type { Clock } from '../system/system.ts';
import { authenticate } from './authenticate.ts';
import { connectToServer, type ServerConnectionOptions } from './connect-to-server.ts';
import { sendHttp, type HttpLimits } from './http-exchange.ts';
import { keepSession } from './session-source.ts';
import { loadTrust, type TrustOptions } from './tls-trust.ts';

/* A device's key, servers to connect it to, each made by its test, and the connection. */

export const directory = await mkdtemp(join(tmpdir(), 'server-connection-'));
after(() => rm(directory, { recursive: true }));
export const files = linuxFiles();
export const forever = new AbortController().signal;
export const key = await loadOrMakeDeviceKey(files, {
  path: join(directory, 'key.pem'),
  madeElsewhere: false,
});
export const plainTrust = { serverCertificate: '', skipVerify: false, clientCertificate: '', clientKey: '' };

export type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void;

/** A server on a port of its own, for one test; what it was asked is kept. */
export async function listen(
  context: TestContext,
  handler: Handler,
  tls?: { key: string; cert: string; ca?: string },
) {
  const asked: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      handler(request, body, response);
    });
  };
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer(
          { ...tls, ...(tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }) },
          listener,
        );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, asked };
}

export const authPath = '/api/devices/v1/authentication/auth_requests';

/** Accepts every device with a numbered token, and leaves the rest to the test. */
export function accepting(handler: Handler): Handler {
  let tokens = 0;
  return (request, body, response) => {
    if (request.url === authPath) response.end(`token.${++tokens}`);
    else handler(request, body, response);
  };
}

export function answer(
  response: ServerResponse,
  status: number,
  body: unknown = '',
  headers: Record<string, string> = {},
) {
  response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** Time passes at once; what was waited for is kept. */
function quickClock(): Clock & { waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => Date.UTC(2026, 0, 1),
    sleep: (ms) => {
      waits.push(ms);
      return Promise.resolve();
    },
  };
}

export async function connect(
  servers: readonly string[],
  options: Partial<ServerConnectionOptions & TrustOptions & { limits: HttpLimits }> = {},
) {
  const log: string[] = [];
  const clock = quickClock();
  const note = (level: string, message: string) => void log.push(`${level}: ${message}`);
  const trust = await loadTrust(files, { ...plainTrust, ...options }, note);
  const send = sendHttp(trust, 'Mender/1.2.3', options.limits);
  const credentials = { key, identityData: '{"mac":"a"}', tenantToken: 'tenant', tier: 'standard' };
  const connection = connectToServer({
    send,
    clock,
    log: note,
    sessions: keepSession((signal) => authenticate({ send, clock, log: note }, servers, credentials, signal)),
    download: { attempts: 3, longestWaitMs: 60_000 },
    ...options,
  });
  return { connection, log, clock };
}
