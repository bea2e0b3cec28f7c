import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type RequestListener } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { createSecureContext } from 'node:tls';
import { openRequest } from '../server-connection/open-request.ts';
import { forwarderLimits, startForwarder } from './forwarder.ts';

const open = openRequest({ secureContext: createSecureContext(), verifyServer: true });

async function forwarderTo(context: TestContext, listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const seen = { log: [] as string[], unreachable: 0 };
  const forwarder = await startForwarder({
    serverUrl,
    open,
    log: (level, message) => seen.log.push(`${level}: ${message}`),
    onUnreachable: () => (seen.unreachable += 1),
  });
  context.after(() => {
    forwarder.close();
    server.closeAllConnections();
    server.close();
  });
  return { server, serverUrl, forwarder, seen };
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('the local forwarder', () => {
  test('hands on method, path, query, headers and body, and the answer unchanged', async (context) => {
    const body = randomBytes(3_000_000);
    const { forwarder, serverUrl } = await forwarderTo(context, (asked, response) => {
      void read(asked).then((received) => {
        const { host, authorization, 'x-twice': twice, connection } = asked.headers;
        response.writeHead(207, 'Quite', {
          'X-Asked': `${asked.method ?? ''} ${asked.url ?? ''}`,
          'X-Host': host ?? '',
        });
        assert.equal(authorization, 'Bearer a.b.c');
        assert.equal(twice, 'one, two');
        assert.notEqual(connection, 'x-private');
        response.end(received);
      });
    });
    const headers = [
      'Host',
      new URL(forwarder.url).host,
      'Authorization',
      'Bearer a.b.c',
      'X-Twice',
      'one',
      'X-Twice',
      'two',
      'Keep-Alive',
      'x',
    ];
    const outgoing = request(`${forwarder.url}/api/x?y=%20z`, { method: 'PUT', headers, agent: false });
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    assert.equal(answer.statusCode, 207);
    assert.equal(answer.statusMessage, 'Quite');
    assert.equal(answer.headers['x-asked'], 'PUT /api/x?y=%20z');
    assert.equal(answer.headers['x-host'], new URL(serverUrl).host);
    assert.ok(body.equals(await read(answer)));
  });

  test('does not hold what one side sends faster than the other takes', async (context) => {
    let sent = 0;
    const { forwarder } = await forwarderTo(context, (_, response) => {
      const piece = Buffer.alloc(65_536);
      const more = () => {
        while (sent < 256 << 20 && !response.destroyed) {
          sent += piece.length;
          if (!response.write(piece)) {
            response.once('drain', more);
            return;
          }
        }
      };
      more();
    });
    const outgoing = request(forwarder.url, { agent: false });
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    answer.pause();
    // Once the sockets are full nothing moves: the same count twice in a row, a while apart.
    for (let before = -1; before !== sent;) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(sent < 64 << 20, `${sent} bytes were taken from the server`);
    outgoing.destroy();
  });

  test('makes one pipe of an upgraded connection, both ways, first bytes included', async (context) => {
    const { server, forwarder } = await forwarderTo(context, () => undefined);
    server.on('upgrade', (asked, socket, head) => {
      assert.equal(asked.headers.upgrade, 'websocket');
      assert.equal(asked.headers.connection, 'Upgrade');
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-A: b\r\n\r\nfirst',
      );
      socket.write(head);
      socket.pipe(socket);
    });
    const socket = await dial(forwarder.url);
    const host = new URL(forwarder.url).host;
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly`,
    );
    const text = await textUntil(socket, 'early');
    assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*X-A: b\r\n\r\nfirst/);
    socket.write('echo');
    await textUntil(socket, 'echo');
    forwarder.close();
    await once(socket, 'close');
  });

  test('gives a refused upgrade back as the server said it', async (context) => {
    const { forwarder } = await forwarderTo(context, () => undefined);
    const socket = await dial(forwarder.url);
    const host = new URL(forwarder.url).host;
    const { server: refusing, forwarder: other } = await forwarderTo(context, () => undefined);
    refusing.on('upgrade', (_, upgraded) => {
      upgraded.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nno!\n');
    });
    socket.destroy();
    const asking = await dial(other.url);
    asking.write(
      `GET /ws HTTP/1.1\r\nHost: ${new URL(other.url).host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    assert.match(await textUntil(asking, 'no!'), /^HTTP\/1\.1 401 Unauthorized\r\n/);
    assert.notEqual(host, new URL(other.url).host);
  });

  test('answers 502 and says so when the server is not there', async (context) => {
    const { server, forwarder, seen } = await forwarderTo(context, () => undefined);
    await new Promise((resolve) => server.close(resolve));
    const answer = await fetch(forwarder.url);
    assert.equal(answer.status, 502);
    assert.equal(seen.unreachable, 1);
    assert.match(
      seen.log[0] ?? '',
      /^warning: A request of a local program could not be forwarded: .*ECONNREFUSED/,
    );
  });

  test('does not take a program that goes away for a server that does', async (context) => {
    let ended: Promise<unknown> = Promise.resolve();
    let asked: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => (asked = resolve));
    const { forwarder, seen } = await forwarderTo(context, (incoming) => {
      ended = once(incoming.socket, 'close');
      asked();
    });
    const outgoing = request(forwarder.url, { agent: false });
    outgoing.on('error', () => undefined);
    outgoing.end();
    await reached;
    outgoing.destroy();
    await ended;
    assert.equal(seen.unreachable, 0);
  });

  test('lets nobody in by another name, nor with a head of any length', async (context) => {
    const { forwarder } = await forwarderTo(context, (_, response) => response.end('in'));
    for (const head of [
      'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n',
      'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n',
      'GET /ws HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ]) {
      const socket = await dial(forwarder.url);
      socket.write(head);
      assert.match(await textUntil(socket, '\r\n'), /^HTTP\/1\.1 421 /);
      socket.destroy();
    }
    const socket = await dial(forwarder.url);
    socket.write(`GET / HTTP/1.1\r\nX: ${'a'.repeat(2 * forwarderLimits.headerBytes)}\r\n\r\n`);
    assert.match(await textUntil(socket, '\r\n'), /^HTTP\/1\.1 431 /);
  });
});

async function dial(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

async function textUntil(socket: Socket, end: string): Promise<string> {
  let text = '';
  return await new Promise((resolve, reject) => {
    const onData = (piece: Buffer) => {
      text += piece.toString('latin1');
      if (!text.includes(end)) return;
      socket.off('data', onData);
      resolve(text);
    };
    socket.on('data', onData);
    socket.once('close', () => {
      reject(new Error(`closed after ${text}`));
    });
  });
}
