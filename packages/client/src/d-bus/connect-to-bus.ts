import { connect, type Socket } from 'node:net';
import { ClientError } from '../client-error.ts';
import type { Log } from '../system/system.ts';
import { messageBus, type Bus, type BusReply, type ServedObject, type SignalMatch } from './bus.ts';
import { socketsOf } from './bus-address.ts';
import { decodeMessage, encodeMessage, longestMessageBytes, type BusMessage } from './message.ts';
import type { BusValue } from './values.ts';

export interface BusOptions {
  /** As in DBUS_SYSTEM_BUS_ADDRESS. */
  readonly address: string;
  /** Who we say to be; the bus asks the kernel whether it is true. */
  readonly userId: number;
  readonly log: Log;
}

const connectMs = 5_000;
const replyMs = 25_000;
/** What may wait to be sent. Whoever does not read for so long has stopped. */
const largestBacklogBytes = 4 * longestMessageBytes;

/** Connects to the bus and says hello. Throws `ClientError` `busFailed`, or the signal's reason. */
export async function connectToBus(options: BusOptions, signal: AbortSignal): Promise<Bus> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(connectMs)]);
  const failures: string[] = [];
  for (const path of socketsIn(options.address)) {
    try {
      const socket = await openSocket(path, limited);
      try {
        const bus = busOver(socket, await handshake(socket, options.userId, limited), options.log);
        await bus.call({ ...messageBus, member: 'Hello', returns: 's' }, limited);
        return bus;
      } catch (error) {
        socket.destroy();
        throw error;
      }
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw failed(`Cannot connect to the bus ${options.address}: ${failures.join('; ')}.`);
}

function socketsIn(address: string): string[] {
  try {
    return socketsOf(address);
  } catch (error) {
    throw failed(`Cannot connect to the bus: ${reasonOf(error)}. Correct DBUS_SYSTEM_BUS_ADDRESS.`, error);
  }
}

async function openSocket(path: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect', signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** "Authentication Protocol": who we are, by the credentials of the socket. Gives what came after the last line, which is nothing. */
async function handshake(socket: Socket, userId: number, signal: AbortSignal): Promise<Buffer> {
  const identity = Buffer.from(String(userId)).toString('hex');
  socket.write(`\0AUTH EXTERNAL ${identity}\r\n`);
  let received = '';
  while (!received.includes('\r\n')) {
    if (received.length > 4096) throw new Error('the bus does not come to an end of its first line');
    received += String(await once(socket, 'data', signal));
  }
  if (!received.startsWith('OK ')) throw new Error(`the bus does not let us in: ${received.trim()}`);
  socket.write('BEGIN\r\n');
  return Buffer.from(received.slice(received.indexOf('\r\n') + 2), 'latin1');
}

/** One event of the socket; rejects when the socket ends or the signal aborts first. */
async function once(socket: Socket, event: 'connect' | 'data', signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const settle = (action: () => void) => {
      socket.off(event, onEvent).off('error', onError).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      socket.pause();
      action();
    };
    const onEvent = (value: unknown) => {
      settle(() => {
        resolve(value);
      });
    };
    const onError = (error: Error) => {
      settle(() => {
        reject(error);
      });
    };
    const onClose = () => {
      onError(new Error('it closed the connection'));
    };
    const onAbort = () => {
      onError(new Error('it did not answer in time', { cause: signal.reason }));
    };
    socket.on(event, onEvent).on('error', onError).on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (event === 'data') socket.resume();
  });
}

interface PendingCall {
  readonly returns: string;
  readonly what: string;
  resolve(body: readonly BusValue[]): void;
  reject(error: Error): void;
}

/** The connection once both sides speak messages. INVARIANT: every pending call is settled when the connection ends. */
function busOver(socket: Socket, received: Buffer, log: Log): Bus {
  const pending = new Map<number, PendingCall>();
  const served = new Map<string, ServedObject>();
  const listeners: { readonly match: SignalMatch; readonly call: (body: readonly BusValue[]) => void }[] = [];
  let lastSerial = 0;
  let end: (reason: Error) => void = () => undefined;
  const ended = new Promise<Error>((resolve) => {
    end = resolve;
  });

  const fail = (reason: Error) => {
    socket.destroy();
    end(reason);
    for (const call of pending.values()) call.reject(reason);
    pending.clear();
  };
  const send = (message: Omit<BusMessage, 'serial'>): number => {
    lastSerial = (lastSerial % 0xffff_ffff) + 1;
    socket.write(encodeMessage({ ...message, serial: lastSerial }));
    if (socket.writableLength > largestBacklogBytes)
      fail(failed('The bus does not read what is sent to it.'));
    return lastSerial;
  };

  const answer = async (message: BusMessage) => {
    const object = served.get(message.path ?? '');
    const reply: BusReply =
      object === undefined
        ? {
            errorName: 'org.freedesktop.DBus.Error.UnknownObject',
            text: `There is nothing at ${message.path ?? ''}`,
          }
        : await object(message);
    if (message.noReplyExpected === true || socket.destroyed) return;
    const to = {
      replySerial: message.serial,
      ...(message.sender === undefined ? {} : { destination: message.sender }),
    };
    if ('errorName' in reply) {
      send({ ...to, type: 'error', errorName: reply.errorName, signature: 's', body: [reply.text] });
    } else send({ ...to, type: 'methodReturn', ...reply });
  };

  const settle = (message: BusMessage) => {
    const call = pending.get(message.replySerial ?? 0);
    pending.delete(message.replySerial ?? 0);
    if (call === undefined) return;
    if (message.type === 'error') {
      const text = typeof message.body?.[0] === 'string' ? `: ${message.body[0].slice(0, 300)}` : '';
      call.reject(failed(`${call.what} failed with ${message.errorName ?? ''}${text}.`));
    } else if ((message.signature ?? '') === call.returns) call.resolve(message.body ?? []);
    else
      call.reject(
        failed(`${call.what} returned (${message.signature ?? ''}) where (${call.returns}) was due.`),
      );
  };

  const take = (message: BusMessage) => {
    if (message.type === 'methodCall') {
      answer(message).catch((error: unknown) => {
        log('error', `A call of the bus could not be answered: ${reasonOf(error)}`);
      });
    } else if (message.type === 'signal') {
      for (const { match, call } of listeners) if (isMatched(match, message)) call(message.body ?? []);
    } else settle(message);
  };

  const onData = (bytes: Buffer) => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
    try {
      for (;;) {
        const next = decodeMessage(received);
        if (next === undefined) return;
        received = received.subarray(next.length);
        take(next.message);
      }
    } catch (error) {
      fail(failed(`The bus sent a message that cannot be read: ${reasonOf(error)}.`, error));
    }
  };
  socket.on('data', onData);
  socket.on('error', (error) => {
    fail(failed(`The connection to the bus broke: ${error.message}.`, error));
  });
  socket.on('close', () => {
    fail(failed('The bus closed the connection.'));
  });
  socket.resume();

  const bus: Bus = {
    ended,
    close: () => {
      fail(failed('The connection to the bus was closed.'));
    },
    call: async ({ returns, ...call }, signal) => {
      signal.throwIfAborted();
      if (socket.destroyed) throw await ended;
      const what = `${call.interface}.${call.member} of ${call.destination}`;
      const limited = AbortSignal.any([signal, AbortSignal.timeout(replyMs)]);
      return await new Promise((resolve, reject) => {
        const serial = send({ ...call, type: 'methodCall' });
        const onAbort = () => {
          pending.delete(serial);
          const late = failed(`${what} gave no answer within ${replyMs / 1000} s.`);
          reject(signal.aborted && signal.reason instanceof Error ? signal.reason : late);
        };
        const settled = () => {
          limited.removeEventListener('abort', onAbort);
        };
        limited.addEventListener('abort', onAbort, { once: true });
        pending.set(serial, {
          returns,
          what,
          resolve: (body) => {
            settled();
            resolve(body);
          },
          reject: (error) => {
            settled();
            reject(error);
          },
        });
      });
    },
    emit: (path, message) => {
      if (!socket.destroyed) send({ type: 'signal', path, ...message });
    },
    serve: (path, object) => {
      served.set(path, object);
    },
    listen: async (match, call, signal) => {
      listeners.push({ match, call });
      const body = [ruleOf(match)];
      await bus.call({ ...messageBus, member: 'AddMatch', signature: 's', body, returns: '' }, signal);
    },
  };
  return bus;
}

const ruleOf = ({ sender, path, interface: of, member }: SignalMatch): string =>
  `type='signal',sender='${sender}',path='${path}',interface='${of}',member='${member}'`;

/** The bus cannot be impersonated: it writes the sender of each message. Owners of other names are known to the bus alone. */
const isMatched = (match: SignalMatch, message: BusMessage): boolean =>
  message.path === match.path &&
  message.interface === match.interface &&
  message.member === match.member &&
  message.signature === match.signature &&
  (match.sender !== messageBus.destination || message.sender === messageBus.destination);

function failed(message: string, cause?: unknown): ClientError {
  return new ClientError('busFailed', message, { cause });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
