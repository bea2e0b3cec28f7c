import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Medium } from './medium.ts';

/*
 * The server's side of the network block device protocol, as much of it as QEMU's client needs
 * (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md): fixed newstyle negotiation, simple replies, and of the
 * commands read, write, flush and disconnect. What is not offered (FUA, trim, writing zeroes) the client replaces by these.
 */
const magic = { server: 'NBDMAGIC', options: 'IHAVEOPT', request: 0x25609513, reply: 0x67446698 } as const;
const optionReplyMagic = 0x0003e889045565a9n;
const handshakeFlags = { fixedNewstyle: 1, noZeroes: 2 } as const;
const transmissionFlags = { hasFlags: 1, sendFlush: 4 } as const;
const options = { exportName: 1, abort: 2, go: 7 } as const;
const replies = { acknowledge: 1, info: 3, unsupported: 0x80000001, unknown: 0x80000006 } as const;
const commands = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const inputOutputError = 5;
/** QEMU asks for no more in one request. */
const longestRequestBytes = 32 * 1024 * 1024;

/** Serves the media by their names on a Unix socket. Requests of one connection are answered in their order. */
export async function serveMedia(socketPath: string, media: Readonly<Record<string, Medium>>) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // A client that goes away in the middle of a request has been ended by the test.
    socket.on('error', () => undefined);
    converse(socket, media).catch(() => socket.destroy());
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function converse(socket: Socket, media: Readonly<Record<string, Medium>>): Promise<void> {
  const take = reader(socket);
  const medium = await negotiate(socket, take, media);
  if (medium === undefined) return;
  for (;;) {
    const header = await take(28);
    if (header === undefined) return;
    if (header.readUInt32BE(0) !== magic.request) throw new Error('The client sent no NBD request.');
    const command = header.readUInt16BE(6);
    const at = Number(header.readBigUInt64BE(16));
    const length = header.readUInt32BE(24);
    if (length > longestRequestBytes) throw new Error(`The client asked for ${length} bytes at once.`);
    const reply = Buffer.alloc(16);
    reply.writeUInt32BE(magic.reply, 0);
    header.copy(reply, 8, 8, 16);
    if (command === commands.disconnect) return;
    if (command === commands.read) {
      socket.write(reply);
      // The medium may be written before the socket has taken the bytes.
      socket.write(Buffer.from(medium.read(at, length)));
      continue;
    }
    const content = command === commands.write ? await take(length) : undefined;
    const result = content === undefined ? medium.flush() : medium.write(at, content);
    if (result === 'failed') reply.writeUInt32BE(inputOutputError, 4);
    socket.write(reply);
  }
}

async function negotiate(
  socket: Socket,
  take: Reader,
  media: Readonly<Record<string, Medium>>,
): Promise<Medium | undefined> {
  const hello = Buffer.alloc(18);
  hello.write(magic.server + magic.options, 'latin1');
  hello.writeUInt16BE(handshakeFlags.fixedNewstyle | handshakeFlags.noZeroes, 16);
  socket.write(hello);
  if ((await take(4)) === undefined) return undefined;
  for (;;) {
    const header = await take(16);
    if (header === undefined) return undefined;
    const option = header.readUInt32BE(8);
    const length = header.readUInt32BE(12);
    if (length > 4096) throw new Error(`The client sent an option of ${length} bytes.`);
    const data = length === 0 ? Buffer.alloc(0) : await take(length);
    if (data === undefined || option === options.abort) return undefined;
    const answer = (type: number, payload = Buffer.alloc(0)) => {
      const head = Buffer.alloc(20);
      head.writeBigUInt64BE(optionReplyMagic, 0);
      head.writeUInt32BE(option, 8);
      head.writeUInt32BE(type, 12);
      head.writeUInt32BE(payload.length, 16);
      socket.write(Buffer.concat([head, payload]));
    };
    if (option !== options.go) {
      answer(replies.unsupported);
      continue;
    }
    const medium = media[data.toString('utf8', 4, 4 + data.readUInt32BE(0))];
    if (medium === undefined) {
      answer(replies.unknown);
      continue;
    }
    // Information type 0: size and flags of the export.
    const info = Buffer.alloc(12);
    info.writeBigUInt64BE(BigInt(medium.sizeBytes), 2);
    info.writeUInt16BE(transmissionFlags.hasFlags | transmissionFlags.sendFlush, 10);
    answer(replies.info, info);
    answer(replies.acknowledge);
    return medium;
  }
}

/** Gives so many bytes of the stream, or undefined when it has ended before. */
type Reader = (length: number) => Promise<Buffer | undefined>;

function reader(socket: Socket): Reader {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer[] = [];
  let heldBytes = 0;
  return async (length) => {
    while (heldBytes < length) {
      const next = await chunks.next();
      if (next.done === true) return undefined;
      held.push(next.value);
      heldBytes += next.value.length;
    }
    const all = held.length === 1 ? (held[0] ?? Buffer.alloc(0)) : Buffer.concat(held);
    held = [all.subarray(length)];
    heldBytes -= length;
    return all.subarray(0, length);
  };
}
