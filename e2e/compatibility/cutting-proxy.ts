import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A wire to the server that can be cut. Bytes pass unread, TLS and all. */
export interface CuttingProxy {
  readonly port: number;
  /** Cuts, once, the first connection over which more than so many bytes have come from the server. */
  cutAfter(bytes: number): void;
  /** How many connections were cut so far. */
  cuts(): number;
  /** Bytes that came from the server over the connection that carried most. */
  mostOnOneConnection(): number;
  close(): void;
}

export async function startCuttingProxy(serverPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let limit = Infinity;
  let cuts = 0;
  let most = 0;
  const proxy = createServer((near) => {
    const far = connect(serverPort, '127.0.0.1');
    let passed = 0;
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.once('close', () => sockets.delete(socket));
    }
    near.pipe(far);
    far.on('data', (chunk: Buffer) => {
      passed += chunk.length;
      most = Math.max(most, passed);
      if (passed <= limit) return;
      limit = Infinity;
      cuts += 1;
      near.resetAndDestroy();
      far.resetAndDestroy();
    });
    far.pipe(near);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  // A TCP server that listens has an address and a port.
  const { port } = proxy.address() as AddressInfo;
  return {
    port,
    cutAfter: (bytes) => {
      limit = bytes;
    },
    cuts: () => cuts,
    mostOnOneConnection: () => most,
    close: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
