import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createDaemon } from '../daemon/create-daemon.ts';
import { httpLimits, sendHttp } from '../server-connection/http-exchange.ts';
import { resumableDownload } from '../server-connection/resumable-download.ts';
import { loadTrust } from '../server-connection/tls-trust.ts';
import { linuxFiles } from '../system/linux-files.ts';
import type { Clock } from '../system/system.ts';
import { makeTestDevice, removeTestDevice, testNeeds } from './test-device.ts';

/*
 * A client of Mender's fifth generation was seen to sit silent in its download once its resumer had given up. Here a deployment whose
 * artifact cannot be had ends as failed, in a time that can be told: RetryDownloadCount attempts that bring nothing, each with its wait
 * and the limits of a connection.
 */
const attempts = 10;
const longestMs =
  (3 + 12 + 48 + 7 * 60) * 1000 +
  (attempts + 1) * (httpLimits.connectMs + httpLimits.answerMs + httpLimits.idleMs);

/** Waits pass at once; what was waited for adds up. */
function quickClock(): Clock & { waitedMs: number } {
  const clock = {
    waitedMs: 0,
    now: () => Date.now(),
    sleep: async (ms: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      clock.waitedMs += ms;
    },
  };
  return clock;
}

async function deploy(t: TestContext, listener: (artifact: Buffer, gone: () => void) => RequestListener) {
  const device = await makeTestDevice({ content: randomBytes(300_000), write: { compression: 'none' } });
  t.after(() => removeTestDevice(device));
  const artifact = await readFile(join(device.directory, 'server/artifact.mender'));
  const sockets = new Set<Socket>();
  const gone = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer(listener(artifact, gone));
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(gone);
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/artifact`;
  const clock = quickClock();
  const limits = { connectMs: 200, answerMs: 200, idleMs: 200 };
  const trust = await loadTrust(
    linuxFiles(),
    { serverCertificate: '', skipVerify: false, clientCertificate: '', clientKey: '' },
    () => undefined,
  );
  const needs = testNeeds(device.directory, async () => assert.fail('it reboots'));
  const log = needs.system.log;
  await createDaemon({
    ...needs,
    server: {
      ...needs.server,
      download: (wanted, signal) =>
        resumableDownload(
          { ...wanted, uri },
          { send: sendHttp(trust, 'Mender/1', limits), clock, log, attempts, longestWaitMs: 300_000, limits },
          signal,
        ),
    },
  }).runOnce(new AbortController().signal);
  return { device, clock };
}

describe('a deployment ends as failed, and the client asks again,', () => {
  // prettier-ignore
  const servers: readonly { name: string; listener: (artifact: Buffer, gone: () => void) => RequestListener }[] = [
    { name: 'when the server goes away in the middle of the artifact and never comes back',
      listener: (artifact, gone) => (_request, response) => {
        response.writeHead(200, { 'Content-Length': artifact.length }).write(artifact.subarray(0, 150_000));
        setTimeout(gone, 50);
      } },
    { name: 'when the server takes every request and goes silent before its answer',
      listener: () => () => undefined },
    { name: 'when the server goes silent in the middle of the artifact, and then before each answer',
      listener: (artifact) => {
        let answered = false;
        return (_request, response) => {
          if (!answered) response.writeHead(200, { 'Content-Length': artifact.length }).write(artifact.subarray(0, 150_000));
          answered = true;
        };
      } },
    { name: 'when every answer is 503',
      listener: () => (_request, response) => void response.writeHead(503).end() },
  ];
  for (const { name, listener } of servers) {
    test(name, { timeout: 60_000 }, async (t) => {
      const { device, clock } = await deploy(t, listener);
      assert.deepEqual(await device.statuses(), ['downloading', 'failure']);
      assert.match(
        (await device.uploadedLog()) ?? '',
        /Giving up on resuming the download .* after 10 attempts/,
      );
      assert.equal((await device.records()).state, undefined);
      assert.equal((await device.records())['artifact-name'], 'version-1');
      const ofAttemptsInRow = (3 + 12 + 48 + 7 * 60) * 1000;
      // A machine with other work may give the first bytes too late for the short limits, which costs the first waits once more.
      const { waitedMs } = clock;
      assert.ok(
        waitedMs >= ofAttemptsInRow && waitedMs <= ofAttemptsInRow + (3 + 12 + 48) * 1000,
        `waited ${waitedMs} ms`,
      );
    });
  }

  test('within an hour and a half, whatever the connections do', () => {
    assert.ok(longestMs <= 90 * 60_000, `${longestMs / 60_000} minutes`);
  });
});

test(
  'a data partition that takes no more ends the deployment as failed, and nothing is changed',
  { timeout: 60_000 },
  async (t) => {
    const device = await makeTestDevice({ content: randomBytes(300_000) });
    t.after(() => removeTestDevice(device));
    // The kernel refuses what goes beyond this size, as it does on a full partition.
    const boot = join(import.meta.dirname, 'boot-test-device.ts');
    const limited = 'trap "" XFSZ; ulimit -f 200; exec "$0" "$@"';
    const child = spawn('sh', ['-c', limited, process.execPath, boot, device.directory], {
      stdio: 'inherit',
    });
    const [exitCode] = (await once(child, 'exit')) as [number];
    assert.equal(exitCode, 0);
    assert.deepEqual(await device.statuses(), ['downloading', 'failure']);
    assert.match((await device.uploadedLog()) ?? '', /EFBIG|ENOSPC/);
    assert.deepEqual((await device.chain()).slice(-2), ['Download_Error', 'Cleanup']);
    assert.equal((await device.records())['artifact-name'], 'version-1');
  },
);
