import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A wire of given width between devices and server: bytes pass unread, slowly enough to be cut in the middle. */
export interface ThrottledProxy {
  readonly port: number;
  /** Bytes that have come from the server so far, over all connections. */
  passedBytes(): number;
  close(): void;
}

const tickMs = 10;

export async function startThrottledProxy(
  port: number,
  serverPort: number,
  bytesPerSecond: number,
): Promise<ThrottledProxy> {
  const sockets = new Set<Socket>();
  let passed = 0;
  const server = createServer((device) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [device, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    device.on('error', () => upstream.destroy());
    upstream.on('error', () => device.destroy());
    device.pipe(upstream);
    const throttle = new Transform({
      highWaterMark: 1 << 14,
      transform(chunk: Buffer, _encoding, done) {
        passed += chunk.length;
        setTimeout(
          () => {
            done(null, chunk);
          },
          Math.max(0, (chunk.length / bytesPerSecond) * 1000 - tickMs / 2),
        );
      },
    });
    upstream.pipe(throttle).pipe(device);
    // A cut upstream is a cut for the device too, not a polite end.
    upstream.once('close', (hadError) => {
      if (hadError) device.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    passedBytes: () => passed,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
