import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { connectToBus } from './connect-to-bus.ts';
import { decodeMessage, encodeMessage, type BusMessage } from './message.ts';
import type { Bus } from './bus.ts';

/**
 * A message bus for tests: names with their queues, calls to names, and signals to everyone. It knows no policies; the real
 * dbus-daemon, with ours, is in e2e/compatibility.
 */
export interface TestBus {
  readonly address: string;
  /** A connection to it, of a program that is not under test. */
  connect(): Promise<Bus>;
  /** Sends bytes to every connection. */
  say(bytes: Uint8Array): void;
  /** Closes all connections; new ones are taken. */
  cut(): void;
  /** Whose name it is, and who waits for it, by unique names. */
  owners(name: string): readonly string[];
}

export const testBusSignal = new AbortController().signal;

export async function startTestBus(context: TestContext): Promise<TestBus> {
  const directory = await mkdtemp(join(tmpdir(), 'test-bus-'));
  const path = join(directory, 'bus');
  const sockets = new Map<string, Socket>();
  const queues = new Map<string, { readonly unique: string; readonly replaceable: boolean }[]>();
  let connections = 0;
  let serial = 0;

  const send = (to: string, message: Omit<BusMessage, 'serial'>) => {
    sockets.get(to)?.write(encodeMessage({ ...message, serial: (serial += 1) }));
  };
  const busSignal = (to: string, member: string, name: string) => {
    send(to, {
      type: 'signal',
      sender: 'org.freedesktop.DBus',
      destination: to,
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus',
      member,
      signature: 's',
      body: [name],
    });
  };
  const queueOf = (name: string) => queues.get(name) ?? [];
  const request = (unique: string, name: string, flags: number): number => {
    const queue = queueOf(name);
    const [owner] = queue;
    const entry = { unique, replaceable: (flags & 1) !== 0 };
    if (owner === undefined) queues.set(name, [entry]);
    else if ((flags & 2) !== 0 && owner.replaceable) {
      queues.set(name, [entry, ...queue]);
      busSignal(owner.unique, 'NameLost', name);
    } else if ((flags & 4) !== 0) return 3;
    else {
      queues.set(name, [...queue, entry]);
      return 2;
    }
    busSignal(unique, 'NameAcquired', name);
    return 1;
  };
  const leave = (unique: string) => {
    sockets.delete(unique);
    for (const [name, queue] of queues) {
      const left = queue.filter((entry) => entry.unique !== unique);
      queues.set(name, left);
      if (left[0] !== undefined && left[0] !== queue[0]) busSignal(left[0].unique, 'NameAcquired', name);
    }
  };
  const ownMethods: Readonly<
    Record<string, (unique: string, body: readonly unknown[]) => [string, ...(string | number | boolean)[]]>
  > = {
    Hello: (unique) => ['s', unique],
    AddMatch: () => [''],
    NameHasOwner: (_, [name]) => ['b', queueOf(name as string).length > 0],
    RequestName: (unique, [name, flags]) => ['u', request(unique, name as string, flags as number)],
  };

  const route = (unique: string, message: BusMessage) => {
    if (message.type === 'signal') {
      for (const to of sockets.keys()) send(to, { ...message, sender: unique });
    } else if (message.destination === 'org.freedesktop.DBus') {
      const [signature, ...body] = ownMethods[message.member ?? '']?.(unique, message.body ?? []) ?? [''];
      send(unique, {
        type: 'methodReturn',
        replySerial: message.serial,
        sender: 'org.freedesktop.DBus',
        signature,
        body,
      });
    } else {
      const destination = message.destination ?? '';
      const to = destination.startsWith(':') ? destination : queueOf(destination)[0]?.unique;
      const socket = to === undefined ? undefined : sockets.get(to);
      // The serial is the caller's: the reply speaks of it.
      if (socket !== undefined) socket.write(encodeMessage({ ...message, sender: unique }));
      else if (message.type === 'methodCall') {
        send(unique, {
          type: 'error',
          errorName: 'org.freedesktop.DBus.Error.ServiceUnknown',
          replySerial: message.serial,
          signature: 's',
          body: [`The name ${destination} is nobody's`],
        });
      }
    }
  };

  const server = createServer((socket) => {
    const unique = `:1.${(connections += 1)}`;
    let received = Buffer.alloc(0);
    let speaks = false;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      leave(unique);
    });
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (!speaks) {
        const begin = received.indexOf('BEGIN\r\n');
        if (begin < 0) {
          socket.write('OK 0123456789abcdef0123456789abcdef\r\n');
          return;
        }
        speaks = true;
        sockets.set(unique, socket);
        received = received.subarray(begin + 'BEGIN\r\n'.length);
      }
      for (let next = decodeMessage(received); next !== undefined; next = decodeMessage(received)) {
        received = received.subarray(next.length);
        route(unique, next.message);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = () => {
    for (const socket of sockets.values()) socket.destroy();
  };
  context.after(async () => {
    cut();
    server.close();
    await rm(directory, { recursive: true });
  });
  const address = `unix:path=${path}`;
  return {
    address,
    connect: () => connectToBus({ address, userId: 0, log: () => undefined }, testBusSignal),
    say: (bytes) => {
      for (const socket of sockets.values()) socket.write(bytes);
    },
    cut,
    owners: (name) => queueOf(name).map(({ unique }) => unique),
  };
}
