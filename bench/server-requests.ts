import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/*
 * A load generator that costs little beside a server on the same two cores: kept connections, requests written as they are, and of
 * the answers only status and length read.
 */

/** A request as it goes over the wire. */
export const wireRequest = (
  url: URL,
  method: string,
  path: string,
  { token, body }: { readonly token?: string; readonly body?: unknown } = {},
): string => {
  const text = body === undefined ? '' : JSON.stringify(body);
  return [
    `${method} ${path} HTTP/1.1`,
    `Host: ${url.host}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(body === undefined
      ? []
      : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`]),
    '',
    text,
  ].join('\r\n');
};

export interface Answers {
  readonly byStatus: ReadonlyMap<number, number>;
  /** Milliseconds, sorted. Of a rate: from when a request was due, not from when a connection was free for it. */
  readonly latencies: Float64Array;
  readonly seconds: number;
}

export const percentile = ({ latencies }: Pick<Answers, 'latencies'>, percent: number): number =>
  latencies[Math.min(latencies.length - 1, Math.floor((latencies.length * percent) / 100))] ?? Number.NaN;

/** `204: 100, 500: 1`. */
export const statusesText = (byStatus: ReadonlyMap<number, number>): string =>
  [...byStatus].map(([status, count]) => `${status}: ${count}`).join(', ');

export const total = ({ latencies }: Pick<Answers, 'latencies'>): number => latencies.length;

/** `count` requests, one after another on each of the connections. */
export async function askAll(
  url: URL,
  connections: number,
  count: number,
  request: (number: number) => string,
): Promise<Answers> {
  const record = recorder(count);
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = await openConnection(url);
      while (next < count) {
        const asked = performance.now();
        const status = await connection.ask(request(next++));
        record.note(status, performance.now() - asked);
      }
      connection.close();
    }),
  );
  return record.answers((performance.now() - started) / 1000);
}

/** `perSecond` requests, whether the server keeps up or not; connections are opened as they are needed, up to `maxConnections`. */
export async function askAtRate(
  url: URL,
  {
    perSecond,
    seconds,
    maxConnections,
  }: { readonly perSecond: number; readonly seconds: number; readonly maxConnections: number },
  request: (number: number) => string,
): Promise<Answers> {
  const count = Math.round(perSecond * seconds);
  const record = recorder(count);
  const idle: Connection[] = [];
  const due: { readonly at: number; readonly number: number }[] = [];
  let opened = 0;
  let answered = 0;
  const finished = Promise.withResolvers<void>();
  const serve = async (connection: Connection): Promise<void> => {
    for (let one = due.shift(); one !== undefined; one = due.shift()) {
      const status = await connection.ask(request(one.number));
      record.note(status, performance.now() - one.at);
      if (++answered === count) finished.resolve();
    }
    idle.push(connection);
  };
  const begin = (): void => {
    let free = idle.pop();
    // The server closes what is long idle.
    for (; free !== undefined && !free.isOpen(); opened -= 1) free = idle.pop();
    if (free !== undefined) void serve(free).catch(finished.reject);
    else if (opened < maxConnections) {
      opened += 1;
      void openConnection(url).then(serve).catch(finished.reject);
    }
  };
  const started = performance.now();
  let scheduled = 0;
  const timer = setInterval(() => {
    const wanted = Math.min(count, 1 + Math.floor(((performance.now() - started) * perSecond) / 1000));
    for (; scheduled < wanted; scheduled += 1) {
      due.push({ at: started + (scheduled * 1000) / perSecond, number: scheduled });
      begin();
    }
    if (scheduled === count) clearInterval(timer);
  }, 1);
  try {
    await finished.promise;
  } finally {
    clearInterval(timer);
  }
  for (const connection of idle) connection.close();
  return record.answers((performance.now() - started) / 1000);
}

function recorder(count: number) {
  const latencies = new Float64Array(count);
  const byStatus = new Map<number, number>();
  let noted = 0;
  return {
    note: (status: number, milliseconds: number): void => {
      latencies[noted++] = milliseconds;
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    },
    answers: (seconds: number): Answers => ({
      byStatus,
      latencies: latencies.subarray(0, noted).sort(),
      seconds,
    }),
  };
}

interface Connection {
  readonly isOpen: () => boolean;
  readonly ask: (request: string) => Promise<number>;
  readonly close: () => void;
}

/** One connection, one request at a time on it. */
async function openConnection(url: URL): Promise<Connection> {
  const socket: Socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  await once(socket, 'connect');
  let waiting: PromiseWithResolvers<number> | undefined;
  let received = '';
  const fail = (error?: Error) => waiting?.reject(error ?? new Error('the server closed the connection'));
  socket.on('error', fail);
  socket.on('close', () => fail());
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    const end = received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = received.slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (received.length < end + 4 + length) return;
    received = received.slice(end + 4 + length);
    const answered = waiting;
    waiting = undefined;
    answered?.resolve(Number(head.slice(9, 12)));
  });
  return {
    isOpen: () => !socket.destroyed,
    ask: (request) => {
      waiting = Promise.withResolvers<number>();
      socket.write(request);
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}
