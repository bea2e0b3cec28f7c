import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { generate } from 'selfsigned';

/** As much of a server as a device needs to authenticate and to be connected, over TLS, and only for those with a certificate. */
export interface StandInServer {
  readonly url: string;
  /** PEM: what the server is trusted by, and what it knows its devices by. */
  readonly authority: string;
  readonly device: { readonly certificate: string; readonly key: string };
  /** Requests so far, the oldest first. */
  readonly asked: readonly Asked[];
  /** The open websockets, with the token each came with. */
  readonly connected: ReadonlyMap<Duplex, string>;
  /** From now on devices are accepted, or not. */
  accept(accepted: boolean): void;
  close(): Promise<void>;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  /** X-MEN-Signature. */
  readonly signature: string;
  readonly body: string;
}

const webSocketKey = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 1.3

export async function startStandInServer(): Promise<StandInServer> {
  const names = {
    extensions: [{ name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] }],
  };
  const own = await generate([{ name: 'commonName', value: '127.0.0.1' }], names);
  const device = await generate([{ name: 'commonName', value: 'device' }]);
  const asked: Asked[] = [];
  const connected = new Map<Duplex, string>();
  let accepted = true;
  let tokens = 0;

  const note = (request: IncomingMessage, body: string) => {
    const { method = '', url: path = '', headers } = request;
    const signature = String(headers['x-men-signature'] ?? '');
    asked.push({ method, path, authorization: headers.authorization ?? '', signature, body });
  };
  const server = createServer(
    { key: own.private, cert: own.cert, ca: device.cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        note(request, Buffer.concat(pieces).toString());
        if (request.url !== '/api/devices/v1/authentication/auth_requests') response.writeHead(204).end();
        else if (accepted) response.end(`header.token-${++tokens}.signature`);
        else response.writeHead(401).end('{"error":"dev auth: unauthorized"}');
      });
    },
  );
  server.on('upgrade', (request, socket) => {
    note(request, '');
    const answer = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}${webSocketKey}`)
      .digest('base64');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${answer}\r\n\r\n`,
    );
    connected.set(socket, request.headers.authorization ?? '');
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    socket.on('close', () => connected.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authority: own.cert,
    device: { certificate: device.cert, key: device.private },
    asked,
    connected,
    accept: (now) => {
      accepted = now;
    },
    close: async () => {
      server.closeAllConnections();
      for (const socket of connected.keys()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
