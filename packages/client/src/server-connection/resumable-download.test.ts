import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { linuxFiles } from '../system/linux-files.ts';
import { httpLimits, sendHttp } from './http-exchange.ts';
import { resumableDownload, type DownloadOptions } from './resumable-download.ts';
import { loadTrust } from './tls-trust.ts';

const content = randomBytes(300_000);
const trust = await loadTrust(
  linuxFiles(),
  { serverCertificate: '', skipVerify: false, clientCertificate: '', clientKey: '' },
  () => undefined,
);
const agentless = sendHttp(trust, 'Mender/test');
const forever = new AbortController().signal;

type Turn = (response: ServerResponse, start: number, range: string | undefined) => void;

/** A server whose answer to each request in turn is told beforehand; the last turn goes on for ever. */
async function serve(context: TestContext, ...turns: Turn[]) {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const turn = turns[Math.min(ranges.length, turns.length - 1)];
    ranges.push(request.headers.range);
    turn?.(
      response,
      Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? '0'),
      request.headers.range,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/artifact?secret`, ranges };
}

function writeHead(response: ServerResponse, start: number): ServerResponse {
  const total = content.length;
  if (start === 0) return response.writeHead(200, { 'Content-Length': total });
  return response.writeHead(206, {
    'Content-Length': total - start,
    'Content-Range': `bytes ${start}-${total - 1}/${total}`,
  });
}

const whole: Turn = (response, start) => {
  writeHead(response, start).end(content.subarray(start));
};

/** Gives so many bytes and breaks the connection. */
const cutAfter =
  (bytes: number): Turn =>
  (response, start) => {
    writeHead(response, start);
    if (bytes === 0) response.flushHeaders();
    else response.write(content.subarray(start, start + bytes));
    setTimeout(() => response.destroy(), 20);
  };

/** Gives so many pieces of a size over one connection, each when the one before may have arrived. */
const inPiecesOf =
  (bytes: number, count: number): Turn =>
  (response, start) => {
    writeHead(response, start);
    const end = Math.min(start + bytes * count, content.length);
    const more = (at: number) => {
      if (response.destroyed) return;
      if (at >= end) return void (end === content.length ? response.end() : undefined);
      response.write(content.subarray(at, at + bytes));
      setTimeout(more, 5, at + bytes);
    };
    more(start);
  };

const answering =
  (status: number, headers: Record<string, string> = {}): Turn =>
  (response) => {
    response.writeHead(status, headers).end();
  };

async function fetchAll(url: string, options: Partial<DownloadOptions> = {}, signal = forever) {
  const waits: number[] = [];
  const log: string[] = [];
  const chunks: Uint8Array[] = [];
  const download = resumableDownload(
    { uri: url },
    {
      send: agentless,
      clock: { now: () => 0, sleep: (ms) => (waits.push(ms), Promise.resolve()) },
      log: (_level, message) => void log.push(message),
      attempts: 3,
      longestWaitMs: 60_000,
      ...options,
    },
    signal,
  );
  const bytes = async () => {
    for await (const chunk of download) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  return { waits, log, chunks, bytes };
}

describe('a download', () => {
  test('that breaks off is taken up where it ended, at the first byte and at the last', async (context) => {
    for (const cut of [1, 65_536, content.length - 1]) {
      const server = await serve(context, cutAfter(cut), whole);
      const { bytes, log, waits } = await fetchAll(server.url);
      assert.ok((await bytes()).equals(content));
      assert.deepEqual(server.ranges, [undefined, `bytes=${cut}-${content.length - 1}`]);
      assert.deepEqual(waits, [3000]);
      assert.match(log.join('\n'), new RegExp(`at byte ${cut} of ${content.length} in 3 s`));
      assert.doesNotMatch(log.join('\n'), /secret/);
    }
  });

  test('may break off as often as it likes while it gets on', async (context) => {
    const server = await serve(context, ...Array.from({ length: 12 }, () => cutAfter(20_000)), whole);
    const { bytes } = await fetchAll(server.url, { attempts: 1 });
    assert.ok((await bytes()).equals(content));
  });

  test('is given up after so many attempts that bring nothing, with longer and longer waits', async (context) => {
    const server = await serve(context, cutAfter(100), cutAfter(0));
    const { bytes, waits } = await fetchAll(server.url, { attempts: 5 });
    await assert.rejects(bytes(), {
      code: 'downloadFailed',
      message: /Giving up on resuming .* after 5 attempts/,
    });
    assert.deepEqual(waits, [3000, 12_000, 48_000, 60_000, 60_000]);
    assert.equal(server.ranges.length, 6);
  });

  test('by a line that gives a byte now and then is given up after an hour, however it comes', async (context) => {
    for (const [how, turn] of [
      ['each by a connection of its own', cutAfter(1)],
      ['over one that stays', inPiecesOf(1, 500)],
    ] as const) {
      const server = await serve(context, turn);
      // A minute passes whenever it is looked at.
      let now = 0;
      const clock = { now: () => (now += 60_000), sleep: () => Promise.resolve() };
      const { bytes, chunks } = await fetchAll(server.url, { clock });
      await assert.rejects(
        bytes(),
        { code: 'downloadFailed', message: /no more than \d+ bytes came in an hour/ },
        how,
      );
      assert.ok(chunks.length >= 20 && chunks.length <= 60, `${chunks.length} minutes, ${how}`);
    }
  });

  test('is not given up for a clock that was set meanwhile, nor for a reader that takes hours', async (context) => {
    for (const setBy of [50, -50]) {
      const server = await serve(context, inPiecesOf(100_000, 3));
      let now = Date.UTC(1990, 0, 1);
      const clock = { now: () => now, sleep: () => Promise.resolve() };
      const download = resumableDownload(
        { uri: server.url },
        { send: agentless, clock, log: () => undefined, attempts: 3, longestWaitMs: 1 },
        forever,
      );
      let total = 0;
      const years = 365 * 86_400_000;
      for await (const chunk of download) {
        total += chunk.length;
        now += 5 * 3_600_000;
        setImmediate(() => (now += setBy * years));
      }
      assert.equal(total, content.length);
    }
  });

  test('waits no longer than the configuration says', async (context) => {
    const server = await serve(context, cutAfter(100), cutAfter(0), whole);
    const { bytes, waits } = await fetchAll(server.url, { longestWaitMs: 1000 });
    await bytes();
    assert.deepEqual(waits, [1000, 1000]);
  });

  test('outlasts a server that is restarting, from the first request on', async (context) => {
    const server = await serve(
      context,
      answering(503),
      cutAfter(1000),
      answering(502),
      answering(429),
      whole,
    );
    assert.ok((await (await fetchAll(server.url)).bytes()).equals(content));
    assert.equal(server.ranges.length, 5);
  });

  for (const [fault, turn] of [
    [
      'the whole again',
      (response) => response.writeHead(200, { 'Content-Length': content.length }).end(content),
    ],
    ['an expired link', answering(403)],
    [
      'a part that begins elsewhere',
      answering(206, { 'Content-Range': `bytes 0-${content.length - 1}/${content.length}` }),
    ],
    [
      'a part that ends elsewhere',
      answering(206, { 'Content-Range': `bytes 1000-${content.length}/${content.length}` }),
    ],
    ['a part of no telling', answering(206)],
  ] as const satisfies readonly (readonly [string, Turn])[]) {
    test(`ends with an error when it is resumed with ${fault}`, async (context) => {
      const server = await serve(context, cutAfter(1000), turn);
      const { bytes, chunks } = await fetchAll(server.url);
      await assert.rejects(bytes(), { code: 'downloadFailed', message: /at byte 1000/ });
      assert.equal(server.ranges.length, 2);
      assert.ok(content.subarray(0, 1000).equals(Buffer.concat(chunks)), 'nothing false was handed on');
    });
  }

  test('of unknown length passes through, but cannot be resumed', async (context) => {
    const chunked: Turn = (response) => {
      response.write(content.subarray(0, 100_000));
      response.end(content.subarray(100_000));
    };
    const complete = await serve(context, chunked);
    assert.ok((await (await fetchAll(complete.url)).bytes()).equals(content));
    const broken = await serve(context, (response) => {
      response.write(content.subarray(0, 1000));
      setTimeout(() => response.destroy(), 20);
    });
    await assert.rejects((await fetchAll(broken.url)).bytes(), { code: 'unreachable' });
    assert.equal(broken.ranges.length, 1);
  });

  test('is refused at once for any other answer, and redirects are not followed', async (context) => {
    const gone = await serve(context, answering(404));
    await assert.rejects((await fetchAll(gone.url)).bytes(), { code: 'refused', status: 404 });
    const moved = await serve(context, answering(302, { Location: '/elsewhere' }));
    await assert.rejects((await fetchAll(moved.url)).bytes(), { message: /redirects are not followed/ });
    assert.equal(moved.ranges.length, 1);
  });

  test('over a line that has gone dead without a word is taken up again', async (context) => {
    const silent: Turn = (response, start) => {
      writeHead(response, start).write(content.subarray(start, start + 1000));
    };
    const server = await serve(context, silent, whole);
    const limits = { ...httpLimits, idleMs: 100 };
    const { bytes, log } = await fetchAll(server.url, { limits });
    assert.ok((await bytes()).equals(content));
    assert.match(log.join('\n'), /nothing came for 0.1 s/);
  });

  test('waits for slow flash without taking it for a dead line', async (context) => {
    const server = await serve(context, whole);
    const limits = { ...httpLimits, idleMs: 50 };
    let total = 0;
    const options = {
      send: agentless,
      clock: { now: () => 0, sleep: () => Promise.reject(new Error('no wait expected')) },
      log: () => undefined,
      attempts: 1,
      longestWaitMs: 1,
      limits,
    };
    for await (const chunk of resumableDownload({ uri: server.url }, options, forever)) {
      if (total === 0) await sleep(200);
      total += chunk.length;
    }
    assert.equal(total, content.length);
  });

  test('ends when the work is called off, and closes the connection', async (context) => {
    const controller = new AbortController();
    let closed = false;
    const server = await serve(context, (response, start) => {
      response.on('close', () => (closed = true));
      writeHead(response, start).write(content.subarray(0, 1000));
      setTimeout(() => controller.abort(new Error('called off')), 20);
    });
    await assert.rejects((await fetchAll(server.url, {}, controller.signal)).bytes(), /called off/);
    await sleep(50);
    assert.equal(closed, true);
  });

  test('that nobody reads to the end closes the connection', async (context) => {
    let closed = false;
    const server = await serve(context, (response, start) => {
      response.on('close', () => (closed = true));
      writeHead(response, start).write(content.subarray(0, 1000));
    });
    const options = {
      send: agentless,
      clock: { now: () => 0, sleep: () => Promise.resolve() },
      log: () => undefined,
      attempts: 1,
      longestWaitMs: 1,
    };
    for await (const _chunk of resumableDownload({ uri: server.url }, options, forever)) break;
    await sleep(50);
    assert.equal(closed, true);
  });
});
