import { createServer, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';
import type { OpenRequest } from '../server-connection/open-request.ts';
import type { Log } from '../system/system.ts';

/** A door to the server on this device: programs behind it need no TLS settings of their own (client contract 7.5). */
export interface Forwarder {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Closes the door and every connection through it. */
  close(): void;
}

export interface ForwarderOptions {
  /** The real server. */
  readonly serverUrl: string;
  readonly open: OpenRequest;
  readonly log: Log;
  /** The server could not be reached at all. */
  readonly onUnreachable: () => void;
}

/** Bodies are streamed with what fits in the sockets' buffers; these bound the rest. */
export const forwarderLimits = {
  connections: 64,
  headerBytes: 16 * 1024,
  headersMs: 30_000,
  /** Nothing in either direction for so long ends a connection; mender-connect says something each minute. */
  idleMs: 300_000,
} as const;

/**
 * Listens on a free port of the loopback interface and hands every request on: method, path, query, headers (Host rewritten) and
 * body, and the answer back unchanged. An answer of 101 makes a pipe of the two connections. Rejects when it cannot listen.
 */
export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const closing = new AbortController();
  const sockets = new Set<Socket>();
  let host = '';
  const server = createServer({
    maxHeaderSize: forwarderLimits.headerBytes,
    headersTimeout: forwarderLimits.headersMs,
    // Bodies may take as long as they move.
    requestTimeout: 0,
    keepAliveTimeout: forwarderLimits.headersMs,
  });
  server.maxConnections = forwarderLimits.connections;
  server.setTimeout(forwarderLimits.idleMs);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (request, response) => {
    if (isMisdirected(request, host)) response.writeHead(421).end();
    else forward(request, response, options, closing.signal);
  });
  server.on('upgrade', (request, socket, head) => {
    if (isMisdirected(request, host)) refuse(socket, '421 Misdirected Request');
    else forwardUpgrade(request, socket, head, options, closing.signal);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  server.on('error', (error) => {
    options.log('warning', `The local forwarder: ${error.message}`);
  });
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    close: () => {
      closing.abort(new Error('The forwarder was closed.'));
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A page in a browser could reach this port under a name of its own; programs that were given the address name it. */
const isMisdirected = (request: IncomingMessage, host: string): boolean =>
  request.headers.host !== host || request.url?.startsWith('/') !== true;

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  options: ForwarderOptions,
  signal: AbortSignal,
): void {
  const outgoing = openTowards(request, options, signal);
  outgoing.once('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
    // What breaks on either side ends both: half an answer must not look whole.
    pipeline(answer, response, () => undefined);
  });
  outgoing.on('error', (error) => {
    if (response.destroyed) return;
    options.log('warning', `A request of a local program could not be forwarded: ${error.message}`);
    if (response.headersSent) response.destroy();
    else {
      response.writeHead(502).end();
      options.onUnreachable();
    }
  });
  // A program that goes away in the middle ends the request to the server, too.
  response.once('close', () => {
    if (!response.writableFinished) outgoing.destroy();
  });
  request.pipe(outgoing);
}

function forwardUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ForwarderOptions,
  signal: AbortSignal,
): void {
  const outgoing = openTowards(request, options, signal, {
    Connection: 'Upgrade',
    Upgrade: request.headers.upgrade ?? '',
  });
  request.socket.setTimeout(forwarderLimits.idleMs, () => socket.destroy());
  socket.on('error', () => outgoing.destroy());
  socket.once('close', () => outgoing.destroy());
  outgoing.once('upgrade', (answer, upstream, upstreamHead) => {
    socket.write(answerHead(answer, answer.rawHeaders));
    if (upstreamHead.length > 0) socket.write(upstreamHead);
    if (head.length > 0) upstream.write(head);
    upstream.setTimeout(forwarderLimits.idleMs, () => upstream.destroy());
    pipeline(socket, upstream, socket, () => {
      socket.destroy();
      upstream.destroy();
    });
  });
  outgoing.once('response', (answer) => {
    socket.write(answerHead(answer, [...endToEnd(answer.rawHeaders), 'Connection', 'close']));
    pipeline(answer, socket, () => undefined);
  });
  outgoing.on('error', (error) => {
    if (socket.destroyed) return;
    options.log('warning', `A connection of a local program could not be forwarded: ${error.message}`);
    refuse(socket, '502 Bad Gateway');
    options.onUnreachable();
  });
  outgoing.end();
}

function openTowards(
  request: IncomingMessage,
  { serverUrl, open }: ForwarderOptions,
  signal: AbortSignal,
  more: Readonly<Record<string, string>> = {},
): ClientRequest {
  const headers = endToEnd(request.rawHeaders).concat(Object.entries(more).flat());
  return open(`${serverUrl}${request.url ?? '/'}`, { method: request.method ?? 'GET', headers }, signal);
}

/** Of the connection between two programs, and not for whoever comes after them (RFC 9110 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Names and values in turn, as they came, without those of this hop and the name of this one. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && lower !== 'host') kept.push(name, value);
  }
  return kept;
}

function answerHead(
  { statusCode = 502, statusMessage = '' }: IncomingMessage,
  rawHeaders: readonly string[],
): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function refuse(socket: Duplex, status: string): void {
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
