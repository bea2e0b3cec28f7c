import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import { linuxFiles } from '../system/linux-files.ts';
import { timeIsSynchronised, type ClockState } from './clock-fault.ts';
import { sendHttp } from './http-exchange.ts';
import { loadTrust } from './tls-trust.ts';

const directory = await mkdtemp(join(tmpdir(), 'clock-fault-'));
after(() => rm(directory, { recursive: true }));
const year = 365 * 24 * 3600 * 1000;

/** A server whose certificate begins and ends so far from now. */
async function serve(context: TestContext, beginsIn: number, endsIn: number) {
  const pems = await generate([{ name: 'commonName', value: 'server' }], {
    keyType: 'ec',
    notBeforeDate: new Date(Date.now() + beginsIn),
    notAfterDate: new Date(Date.now() + endsIn),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  const serverCertificate = join(directory, `${beginsIn}.pem`);
  await writeFile(serverCertificate, pems.cert);
  const server = createServer({ key: pems.private, cert: pems.cert }, (_request, response) => response.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const trust = await loadTrust(
    linuxFiles(),
    { serverCertificate, skipVerify: false, clientCertificate: '', clientKey: '' },
    () => undefined,
  );
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return async (clock: ClockState) =>
    sendHttp(
      trust,
      'Mender/1',
      undefined,
      async () => clock,
    )({ method: 'GET', url }, new AbortController().signal);
}

describe('a certificate that does not fit the time of the device', () => {
  // prettier-ignore
  const cases = [
    { name: 'in 1970, before the clock was set', begins: year, ends: 2 * year, clock: { now: 5000, synchronised: undefined },
      says: /has not been set yet \(it says 1970-01-01T00:00:05.000Z\)/, retryAfterMs: 10_000 },
    { name: 'while time is being synchronised', begins: year, ends: 2 * year, clock: { now: Date.UTC(2026, 1), synchronised: false },
      says: /waiting for a time server/, retryAfterMs: 10_000 },
    { name: 'not yet valid', begins: year, ends: 2 * year, clock: { now: Date.UTC(2026, 1), synchronised: true },
      says: /not valid yet at 2026-02-01/, retryAfterMs: 30_000 },
    { name: 'expired', begins: -2 * year, ends: -year, clock: { now: Date.UTC(2026, 1), synchronised: undefined },
      says: /has expired by 2026-02-01/, retryAfterMs: 60_000 },
  ] as const;
  for (const { name, begins, ends, clock, says, retryAfterMs } of cases) {
    test(`${name}: says so, and is tried again soon`, async (context) => {
      const ask = await serve(context, begins, ends);
      await assert.rejects(ask(clock), { code: 'unreachable', message: says, retryAfterMs });
    });
  }
});

test('whether the clock was synchronised is what systemd-timesyncd says, where it runs', async () => {
  const place = join(directory, 'timesync');
  assert.equal(await timeIsSynchronised(linuxFiles(), place), undefined);
  await mkdir(place);
  assert.equal(await timeIsSynchronised(linuxFiles(), place), false);
  await writeFile(join(place, 'synchronized'), '');
  assert.equal(await timeIsSynchronised(linuxFiles(), place), true);
});
