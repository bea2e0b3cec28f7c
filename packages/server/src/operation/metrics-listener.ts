import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../log.ts';
import type { Metrics } from './metrics.ts';

const headTimeoutMs = 5000;
const maxConnections = 32;

/**
 * Serves `/metrics` on an address of its own, since metrics tell more than strangers should know and Prometheus brings no token of
 * ours. Resolves with its URL and what stops it.
 */
export async function listenForMetrics(
  { text, contentType }: Pick<Metrics, 'text' | 'contentType'>,
  { host, port }: { readonly host: string; readonly port: number },
  log: Log,
): Promise<{ url: string; close: () => Promise<void> }> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const isMetrics = request.url?.split('?', 1)[0] === '/metrics';
    response.setHeader('x-content-type-options', 'nosniff');
    if (!isMetrics) response.writeHead(404).end();
    else if (!isRead) response.writeHead(405, { allow: 'GET, HEAD' }).end();
    else response.writeHead(200, { 'content-type': contentType }).end(await text());
  };
  const server = createServer(
    { headersTimeout: headTimeoutMs, requestTimeout: headTimeoutMs },
    (request, response) => {
      request.resume();
      answer(request, response).catch((error: unknown) => {
        log('error', 'metrics could not be read', {
          cause: error instanceof Error ? error.message : String(error),
        });
        response.writeHead(500).end();
      });
    },
  );
  server.maxConnections = maxConnections;
  server.listen({ host, port });
  await once(server, 'listening');
  const { address, port: taken, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}/metrics`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
