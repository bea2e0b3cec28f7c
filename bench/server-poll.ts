import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { databasePath } from '../packages/server/src/commands/data-directory.ts';
import { machine, median } from './artifact-measure.ts';
import { makeFleet, type FleetDevice } from './server-fleet.ts';
import { startBare, startTandem, type MeasuredProcess } from './server-process.ts';
import { askAtRate, statusesText, wireRequest } from './server-requests.ts';
import { writeResult } from './write-result.ts';

/**
 * Server CPU of a poll with nothing to do, against a bare `node:http` that reads the same request, and one row over an index, both on
 * plain HTTP in one interleaved run: 100,000 devices, 1,000 deployments that have ended and 100 under way, none of them for a device that polls.
 *
 * Both are asked at the same rate, by turns of a second. Asked as fast as it can, the quicker one would have the cheaper writes: whoever
 * is asleep when his answer comes has to be woken by the one who writes it, and a load generator kept busy never sleeps.
 *
 *     node bench/server-poll.ts [--rounds 3] [--seconds 20] [--rate 2000] [--fleet DIR] [--write]
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '2000' },
    fleet: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const before = machine();
const connections = 32;
const directory = values.fleet ?? mkdtempSync(join(tmpdir(), 'tandem-bench-'));
const seconds = Number(values.seconds);
const perSecond = Number(values.rate);
/** So long a new process is asked by other devices, before it counts: until then it is V8's compiler that is measured. */
const warmUpSeconds = 10;

const next = '/api/devices/v1/deployments/device/deployments/next';
const nextV2 = '/api/devices/v2/deployments/device/deployments/next';
const provides = {
  device_type: 'raspberrypi4',
  artifact_name: 'release-1',
  'rootfs-image.version': 'release-1',
  'rootfs-image.checksum': '0'.repeat(64),
};
type Ask = (url: URL, device: FleetDevice) => string;
const polls = {
  'GET v1': (url, { token }) =>
    wireRequest(url, 'GET', `${next}?artifact_name=release-1&device_type=raspberrypi4`, { token }),
  'POST v2': (url, { token }) =>
    wireRequest(url, 'POST', nextV2, { token, body: { device_provides: provides } }),
} as const satisfies Record<string, Ask>;
/** The same request to the bare server, which finds the device in its path. */
const bare = {
  'GET v1': (url, { id, token }) => wireRequest(url, 'GET', `${next}/${id}`, { token }),
  'POST v2': (url, { id, token }) =>
    wireRequest(url, 'POST', `${nextV2}/${id}`, { token, body: { device_provides: provides } }),
} as const satisfies Record<keyof typeof polls, Ask>;

try {
  const { devices } = await makeFleet(directory, {
    devices: 100_000,
    finished: 1000,
    active: 100,
    idle: 10_000,
  });
  const microseconds = new Map<string, number[]>();
  /** A second of polls, by the devices from that one on; the server's CPU for them, in seconds. */
  const askForOneSecond = async (server: MeasuredProcess, ask: Ask, from: number): Promise<number> => {
    const before = server.cpuSeconds();
    const { byStatus } = await askAtRate(
      server.url,
      { perSecond, seconds: 1, maxConnections: connections },
      (number) => {
        const device = devices[(from + number) % devices.length];
        if (device === undefined) throw new Error('no device');
        return ask(server.url, device);
      },
    );
    if (byStatus.get(204) !== perSecond) throw new Error(statusesText(byStatus));
    return server.cpuSeconds() - before;
  };
  const bareServer = await startBare('read', databasePath(directory));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    // A new process: it has not seen a device yet.
    const tandem = await startTandem(directory);
    let from = 0;
    for (const name of ['GET v1', 'POST v2'] as const) {
      for (let second = 0; second < warmUpSeconds; second += 1) {
        await askForOneSecond(bareServer, bare[name], from);
        await askForOneSecond(tandem, polls[name], from);
        from += perSecond;
      }
      const spent = { bare: 0, cold: 0, warm: 0 };
      for (let second = 0; second < seconds; second += 1) {
        spent.bare += await askForOneSecond(bareServer, bare[name], from);
        spent.cold += await askForOneSecond(tandem, polls[name], from);
        spent.warm += await askForOneSecond(tandem, polls[name], from);
        from += perSecond;
      }
      for (const [what, cpu] of Object.entries(spent)) {
        const row = `${name}, ${what}`;
        const each = (cpu / (seconds * perSecond)) * 1e6;
        microseconds.set(row, [...(microseconds.get(row) ?? []), each]);
        process.stdout.write(`${row.padEnd(20)} ${each.toFixed(1)} µs/request\n`);
      }
    }
    process.stdout.write(`resident at most ${Math.round(tandem.peakMiB())} MiB\n`);
    await tandem.stop();
  }
  await bareServer.stop();
  const each = (name: string) => median(microseconds.get(name) ?? []);
  writeResult('server-poll', values.write, [
    `Server CPU (user and system, all threads) of a poll with nothing to do, ${perSecond} a second over ${connections} connections, by one device after another, each server a second by turns; ${devices.length} devices, 1,000 deployments that have ended, 100 under way for others; check-in times are stored meanwhile. Cold is the first poll of a device since the server was started, warm its next. ${values.rounds} rounds of ${seconds} s each, medians. ${before}.`,
    '',
    '| | µs a request | to bare node:http, which reads the same request and one row |',
    '|---|---|---|',
    ...[...microseconds].map(
      ([name]) =>
        `| ${name} | ${each(name).toFixed(1)} | ${(each(name) / each(name.replace(/, .*/, ', bare'))).toFixed(2)} |`,
    ),
  ]);
} finally {
  if (values.fleet === undefined) rmSync(directory, { recursive: true });
}
